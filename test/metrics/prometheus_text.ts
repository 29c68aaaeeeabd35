/**
 * Reads Prometheus' text format, version 0.0.4, strictly: what a scraper would guess at is an error here.
 */

export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** With `_bucket`, `_sum` or `_count` behind it for histograms and summaries. */
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const METRIC_NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${METRIC_NAME}) (.*)$`);
const TYPE = new RegExp(`^# TYPE (${METRIC_NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${METRIC_NAME})(?:\\{(.*)\\})? (\\S+)(?: (-?[0-9]+))?$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const NUMBER = /^(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf|NaN|Nan)$/;

interface Draft {
  type: MetricFamily['type'] | undefined;
  help: string | undefined;
  samples: Sample[];
}

/** @throws Error that names the line, for all that the format does not allow */
export function parsePrometheusText(text: string): readonly MetricFamily[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end in a line feed');
  if (text.includes('\r')) throw new Error('a carriage return');
  const drafts = new Map<string, Draft>();
  const seen = new Set<string>();
  /** Lines of one family stand together: the family that is being read. */
  let current: string | undefined;
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    if (line === '') continue;
    const fail = (problem: string): never => {
      throw new Error(`line ${index + 1}: ${problem}: ${line}`);
    };
    const [, commented = ''] = HELP.exec(line) ?? TYPE.exec(line) ?? [];
    const sample = line.startsWith('#') ? undefined : readSample(line, fail);
    const name = sample === undefined ? commented : familyOf(sample.name, drafts);
    if (name === '') fail('neither HELP, TYPE nor a sample');
    if (name !== current && drafts.has(name)) fail('the lines of a family do not stand together');
    current = name;
    const draft = drafts.get(name) ?? { type: undefined, help: undefined, samples: [] };
    drafts.set(name, draft);
    if (sample !== undefined) {
      const identity = `${sample.name}${JSON.stringify([...sample.labels].toSorted(([a], [b]) => a.localeCompare(b)))}`;
      if (seen.has(identity)) fail('the same sample twice');
      seen.add(identity);
      if (draft.type === undefined) fail('a sample before its TYPE');
      draft.samples.push(sample);
      continue;
    }
    if (draft.samples.length > 0) fail('HELP or TYPE behind a sample');
    const help = HELP.exec(line)?.[2];
    if (help !== undefined && draft.help !== undefined) fail('a second HELP');
    if (help === undefined && draft.type !== undefined) fail('a second TYPE');
    draft.help = help ?? draft.help;
    draft.type = (TYPE.exec(line)?.[2] as Draft['type']) ?? draft.type;
  }
  return [...drafts].map(([name, { type = 'untyped', help = '', samples }]) => ({ name, type, help, samples }));
}

function readSample(line: string, fail: (problem: string) => never): Sample {
  const [, name, labelText, value] = SAMPLE.exec(line) ?? [];
  if (name === undefined || value === undefined) return fail('not a sample');
  if (!NUMBER.test(value)) fail('not a number');
  const labels = new Map<string, string>();
  let rest = labelText ?? '';
  while (rest !== '') {
    const [whole, label, text] = LABEL.exec(rest) ?? [];
    if (whole === undefined || label === undefined || text === undefined) return fail('not a label');
    if (labels.has(label) || label.startsWith('__')) fail('a label twice, or a reserved one');
    labels.set(label, text);
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

/** `a_bucket` belongs to the histogram `a`. */
function familyOf(sample: string, drafts: ReadonlyMap<string, Draft>): string {
  const base = sample.replace(/_(?:bucket|sum|count)$/, '');
  const type = drafts.get(base)?.type;
  return base !== sample && (type === 'histogram' || type === 'summary') ? base : sample;
}
