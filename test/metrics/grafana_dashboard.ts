/**
 * What Grafana asks of a dashboard that is imported (its schema, kind `dashboard`, version 39), as far as ours goes, and
 * what we ask: that every query names metrics that exist.
 */
import * as z from 'zod/mini';

const datasourceSchema = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });

const gridPositionSchema = z.strictObject({
  x: z.int().check(z.gte(0), z.lte(23)),
  y: z.int().check(z.gte(0)),
  w: z.int().check(z.gte(1), z.lte(24)),
  h: z.int().check(z.gte(1)),
});

const rowSchema = z.strictObject({
  id: z.int(),
  type: z.literal('row'),
  title: z.string().check(z.minLength(1)),
  collapsed: z.boolean(),
  gridPos: gridPositionSchema,
  panels: z.array(z.unknown()).check(z.maxLength(0)),
});

const thresholdsSchema = z.strictObject({
  mode: z.enum(['absolute', 'percentage']),
  steps: z.array(z.strictObject({ color: z.string(), value: z.nullable(z.number()) })).check(z.minLength(1)),
});

const fieldConfigSchema = z.strictObject({
  defaults: z.strictObject({
    unit: z.enum(['short', 's', 'bytes', 'Bps', 'ops', 'reqps', 'percentunit']),
    min: z.number(),
    custom: z.optional(z.record(z.string(), z.unknown())),
    thresholds: z.optional(thresholdsSchema),
  }),
  overrides: z.array(z.unknown()),
});

const targetSchema = z.strictObject({
  refId: z.string().check(z.regex(/^[A-Z]$/)),
  datasource: datasourceSchema,
  expr: z.string().check(z.minLength(1)),
  legendFormat: z.string(),
  editorMode: z.enum(['code', 'builder']),
  range: z.boolean(),
});

const panelSchema = z.strictObject({
  id: z.int(),
  type: z.enum(['timeseries', 'stat']),
  title: z.string().check(z.minLength(1)),
  description: z.string().check(z.minLength(1)),
  datasource: datasourceSchema,
  gridPos: gridPositionSchema,
  targets: z.array(targetSchema).check(z.minLength(1)),
  fieldConfig: fieldConfigSchema,
  options: z.record(z.string(), z.unknown()),
});

const variableSchema = z.looseObject({
  name: z.string().check(z.regex(/^\w+$/)),
  type: z.enum(['query', 'datasource', 'custom', 'constant', 'interval', 'textbox', 'adhoc']),
  hide: z.int(),
  skipUrlSync: z.boolean(),
});

const dashboardSchema = z.looseObject({
  title: z.string().check(z.minLength(1)),
  uid: z.string().check(z.regex(/^[a-zA-Z0-9_-]{1,40}$/)),
  // An `id` belongs to one Grafana's database: with one, an import would replace another dashboard.
  id: z.optional(z.null()),
  schemaVersion: z.int().check(z.gte(36)),
  version: z.int(),
  tags: z.array(z.string()),
  timezone: z.enum(['browser', 'utc', '']),
  editable: z.boolean(),
  graphTooltip: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  refresh: z.union([z.string(), z.literal(false)]),
  annotations: z.looseObject({ list: z.array(z.unknown()) }),
  templating: z.strictObject({ list: z.array(variableSchema) }),
  panels: z.array(z.union([rowSchema, panelSchema])).check(z.minLength(1)),
});

/** Words of PromQL that stand where a metric could. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  'sum',
  'by',
  'rate',
  'increase',
  'without',
  'avg',
  'max',
  'min',
  'topk',
  'histogram_quantile',
]);

/** @returns what is wrong, in lines */
export function judgeDashboard(dashboard: unknown, metrics: ReadonlySet<string>): readonly string[] {
  const parsed = dashboardSchema.safeParse(dashboard);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const { panels, templating } = parsed.data;
  const problems: string[] = [];
  const ids = panels.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) problems.push('two panels have one id');
  for (const panel of panels) {
    const { x, w } = panel.gridPos;
    if (x + w > 24) problems.push(`${panel.title}: wider than the grid`);
    for (const other of panels)
      if (other.id > panel.id && overlap(panel.gridPos, other.gridPos))
        problems.push(`${panel.title} covers ${other.title}`);
    if (panel.type === 'row') continue;
    for (const { expr } of panel.targets) {
      for (const name of namesIn(expr))
        if (!metrics.has(name.replace(/_bucket$/, ''))) problems.push(`${panel.title}: there is no ${name}`);
      const variables = [...expr.matchAll(/\$(\w+)/g)].map((match) => match[1] ?? '');
      const known = new Set(['__rate_interval', ...templating.list.map((variable) => variable.name)]);
      for (const variable of variables)
        if (!known.has(variable)) problems.push(`${panel.title}: there is no $${variable}`);
    }
  }
  return problems;
}

function namesIn(expr: string): readonly string[] {
  const bare = expr
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\bby \([^)]*\)/g, '');
  return [...bare.matchAll(/[a-zA-Z_:][a-zA-Z0-9_:]*/g)].map(([name]) => name).filter((name) => !FUNCTIONS.has(name));
}

type Grid = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };

function overlap(a: Grid, b: Grid): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
