/**
 * How a setting is read from the environment: one definition each, one line of error that names it.
 * The list itself stands in setting_table.ts.
 */

/** Thrown for an unknown `HW_…` name or a value that cannot be used. Never holds the value of a secret. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export interface SettingDefinition<Value> {
  readonly name: string;
  /** Undefined text: not set. @throws Error with what was wanted */
  readonly parse: (text: string | undefined) => Value;
  /** Shown in docs/configuration.md. */
  readonly fallback: string;
  readonly doc: string;
  /** Its value is never printed. */
  readonly secret?: boolean;
}

type Values<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends SettingDefinition<infer Value> ? Value : never;
};

/**
 * Reads each setting of `table` from `env`. Empty text counts as not set.
 * @throws SettingError in one line
 */
export function readSettings<Table extends Record<string, SettingDefinition<unknown>>>(
  table: Table,
  env: Readonly<Record<string, string | undefined>>,
): Values<Table> {
  const values: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(table)) {
    const text = env[definition.name];
    try {
      values[key] = definition.parse(text === '' ? undefined : text);
    } catch (cause) {
      const wanted = cause instanceof Error ? cause.message : String(cause);
      const got = definition.secret === true ? 'a value that cannot be used' : JSON.stringify(shown(text ?? ''));
      throw new SettingError(`${definition.name}: got ${got}, wanted ${wanted}`, { cause });
    }
  }
  return values as Values<Table>;
}

/** A URL's user name, password, path and query may be secrets: what is shown of one is its scheme, host and port. */
function shown(text: string): string {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(text) ?? [];
  if (scheme === undefined) return text;
  const at = rest.lastIndexOf('@');
  const host = /^[^/?#]*/.exec(rest.slice(at + 1))?.[0] ?? '';
  const hasMore = rest.length > at + 1 + host.length;
  return `${scheme}${at === -1 ? '' : '…@'}${host}${hasMore ? '/…' : ''}`;
}

/** @throws SettingError for the first `HW_…` name in `env` that no setting has, with the nearest known one */
export function refuseUnknownSettings(
  known: Iterable<string>,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const names = new Set(known);
  for (const name of Object.keys(env)) {
    // HW_TEST_… belongs to the tests and HW_BENCH_… to the benchmarks.
    if (!name.startsWith('HW_') || names.has(name) || /^HW_(?:TEST|BENCH)_/.test(name)) continue;
    const near = nearest(name, names);
    throw new SettingError(
      `${name}: there is no such setting${near === undefined ? '' : `; did you mean ${near}?`} (docs/configuration.md lists all)`,
    );
  }
}

function nearest(name: string, names: ReadonlySet<string>): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of names) {
    const distance = editDistance(name, candidate);
    if (distance <= 4 && (best === undefined || distance < best.distance)) best = { name: candidate, distance };
  }
  return best?.name;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

type Doc = Pick<SettingDefinition<unknown>, 'doc' | 'secret'>;

/** A whole or decimal number within a range, both ends included. */
export function numberSetting(
  name: string,
  fallback: number,
  range: { readonly min: number; readonly max: number; readonly whole?: boolean },
  { doc }: Doc,
): SettingDefinition<number> {
  return {
    name,
    fallback: String(fallback),
    doc,
    parse: (text) => {
      if (text === undefined) return fallback;
      const value = /^-?[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
      const fits = value >= range.min && value <= range.max && (range.whole !== true || Number.isInteger(value));
      if (!fits)
        throw new Error(`${range.whole === true ? 'a whole number' : 'a number'} from ${range.min} to ${range.max}`);
      return value;
    },
  };
}

export function choiceSetting<const Choice extends string>(
  name: string,
  fallback: NoInfer<Choice>,
  choices: readonly Choice[],
  { doc }: Doc,
): SettingDefinition<Choice> {
  return {
    name,
    fallback,
    doc,
    parse: (text) => {
      if (text === undefined) return fallback;
      const choice = choices.find((candidate) => candidate === text);
      if (choice === undefined) throw new Error(`one of ${choices.join(', ')}`);
      return choice;
    },
  };
}

export function flagSetting(name: string, { doc }: Doc): SettingDefinition<boolean> {
  return {
    name,
    fallback: '0',
    doc,
    parse: (text) => {
      if (text === undefined || text === '0') return false;
      if (text === '1') return true;
      throw new Error('1 or 0');
    },
  };
}

/** Text, or undefined when it is not set. `check` gives what was wanted when the text cannot be used. */
export function textSetting(
  name: string,
  { doc, secret }: Doc,
  check: (text: string) => string | undefined = () => undefined,
): SettingDefinition<string | undefined> {
  return {
    name,
    fallback: '',
    doc,
    ...(secret === undefined ? {} : { secret }),
    parse: (text) => {
      const wanted = text === undefined ? undefined : check(text);
      if (wanted !== undefined) throw new Error(wanted);
      return text;
    },
  };
}

export function defaultedTextSetting(name: string, fallback: string, { doc }: Doc): SettingDefinition<string> {
  return { name, fallback, doc, parse: (text) => text ?? fallback };
}

/** What a check says of a text that is not an absolute http or https URL. */
export function wantHttpUrl(text: string): string | undefined {
  const [matched, port = '0'] =
    /^https?:\/\/(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:[\]<>^|%\\]+)(?::([0-9]{1,5}))?(?:[/?#]\S*)?$/.exec(text) ?? [];
  return matched !== undefined && Number(port) <= 65_535
    ? undefined
    : 'an http:// or https:// URL without a user name or a password';
}
