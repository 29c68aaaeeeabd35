/**
 * What a layer of tests came to, and the verdict on all layers: the plain closing line that CI reads.
 */

export interface SkippedTest {
  readonly name: string;
  /** What the test said when it skipped itself; undefined: nothing. */
  readonly why: string | undefined;
}

export interface FailedTest {
  readonly name: string;
  /** First line of its error. */
  readonly why: string;
}

export interface Tally {
  readonly passed: number;
  readonly failed: readonly FailedTest[];
  readonly skipped: readonly SkippedTest[];
  /** Failed, and passed when their files were run once more. */
  readonly unsteady?: readonly FailedTest[];
}

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  /**
   * One line each: how many tests of a file are left to `--full`; what else was skipped and why, and whether that counts
   * as a failure; and at the end, where whoever reads only the end of a log sees it, what failed.
   */
  readonly notes: readonly string[];
}

/**
 * Adds up the layers. A skipped test fails in CI, where nothing may be missing, except one that says it belongs to
 * `script/test --full` when that was not asked for.
 */
export function judge(tallies: readonly Tally[], options: { readonly ci: boolean; readonly full: boolean }): Verdict {
  const skipped = tallies.flatMap((tally) => tally.skipped);
  const left = options.full ? [] : skipped.filter(({ why }) => why?.includes('--full') === true);
  const missing = skipped.filter((test) => !left.includes(test));
  const failed = tallies.flatMap((tally) => tally.failed);
  const mark = options.ci ? 'skipped (a failure in CI)' : 'skipped';
  return {
    passed: tallies.reduce((sum, tally) => sum + tally.passed, 0),
    failed: failed.length + (options.ci ? missing.length : 0),
    notes: [
      ...countByFile(left).map(([file, count]) => `left to script/test --full: ${count} in ${file}`),
      ...missing.map(({ name, why }) => `${mark}: ${name}: ${why ?? 'it does not say why'}`),
      ...tallies
        .flatMap((tally) => tally.unsteady ?? [])
        .map(({ name, why }) => `passed at its second try: ${name}: ${why}`),
      ...failed.map(({ name, why }) => `failed: ${name}: ${why}`),
    ],
  };
}

/** The name of a test begins with its file. */
function countByFile(tests: readonly SkippedTest[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { name } of tests) {
    const file = fileOf(name) ?? name;
    counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return [...counts];
}

/**
 * A layer some of whose files were run once more, alone: what failed twice has failed. What passed the second time is
 * kept apart, and named: it is a test that does not stand a busy machine, or a bug that shows now and then.
 */
export function secondTry(first: Tally, second: Tally): Tally {
  const again = new Set(second.failed.map(({ name }) => name));
  return {
    passed: first.passed + first.failed.length - second.failed.length,
    failed: second.failed,
    skipped: first.skipped,
    unsteady: first.failed.filter(({ name }) => !again.has(name)),
  };
}

/** The file that a test, a suite or an error outside of both stands in; undefined: in none. */
export function fileOf(name: string): string | undefined {
  return /^\S+\.test\.ts(?= > |$)/.exec(name)?.[0];
}

/** @throws Error when `text` is not what the tally reporter wrote */
export function parseTally(text: string): Tally {
  const value = JSON.parse(text) as Partial<Tally> | null;
  if (typeof value?.passed !== 'number' || !Array.isArray(value.failed) || !Array.isArray(value.skipped)) {
    throw new Error('got another shape, wanted a tally');
  }
  return { passed: value.passed, failed: value.failed, skipped: value.skipped };
}
