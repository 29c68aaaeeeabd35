/**
 * What a layer of tests came to, and the verdict on all layers: the plain closing line that CI reads.
 */

export interface SkippedTest {
  readonly name: string;
  /** What the test said when it skipped itself; undefined: nothing. */
  readonly why: string | undefined;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
}

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  /** One line each: what was skipped and why, and whether that counts as a failure. */
  readonly notes: readonly string[];
}

/**
 * Adds up the layers. A skipped test fails in CI, where nothing may be missing, except one that says it belongs to
 * `script/test --full` when that was not asked for.
 */
export function judge(tallies: readonly Tally[], options: { readonly ci: boolean; readonly full: boolean }): Verdict {
  let passed = 0;
  let failed = 0;
  const notes: string[] = [];
  for (const tally of tallies) {
    passed += tally.passed;
    failed += tally.failed;
    for (const { name, why } of tally.skipped) {
      const fails = options.ci && (options.full || why?.includes('--full') !== true);
      if (fails) failed += 1;
      notes.push(`skipped${fails ? ' (a failure in CI)' : ''}: ${name}: ${why ?? 'it does not say why'}`);
    }
  }
  return { passed, failed, notes };
}

/** @throws Error when `text` is not what the tally reporter wrote */
export function parseTally(text: string): Tally {
  const value = JSON.parse(text) as Partial<Tally> | null;
  if (typeof value?.passed !== 'number' || typeof value.failed !== 'number' || !Array.isArray(value.skipped)) {
    throw new Error('got another shape, wanted a tally');
  }
  return { passed: value.passed, failed: value.failed, skipped: value.skipped };
}
