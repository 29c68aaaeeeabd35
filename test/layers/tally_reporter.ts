/**
 * A Vitest reporter that writes the tally of a run to the file named by HW_TEST_TALLY, for test/layers/run.ts.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter } from 'vitest/node';
import type { FailedTest, SkippedTest } from './tally.ts';

export default class TallyReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandledErrors) => {
    const path = process.env['HW_TEST_TALLY'];
    if (path === undefined) throw new Error('HW_TEST_TALLY is not set, wanted the path of a file');
    let passed = 0;
    const failed: FailedTest[] = [];
    const fail = (name: string, errors: readonly { readonly message: string }[]): void => {
      failed.push({ name, why: errors[0]?.message.split('\n', 1)[0] ?? 'it does not say why' });
    };
    for (const error of unhandledErrors) fail('outside of all tests', [error]);
    const skipped: SkippedTest[] = [];
    for (const module of modules) {
      // Errors outside of a test: a file that does not load, a hook that throws.
      for (const error of module.errors()) fail(module.relativeModuleId, [error]);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) fail(`${module.relativeModuleId} > ${suite.fullName}`, [error]);
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'failed') fail(name, result.errors);
        else
          skipped.push({
            name,
            why: result.state === 'skipped' ? (result.note ?? reasonIn(name)) : 'it was never run',
          });
      }
    }
    writeFileSync(path, JSON.stringify({ passed, failed, skipped }));
  };
}

/** Of a suite that is skipped as a whole, which has no other place to say why than its name. */
function reasonIn(name: string): string | undefined {
  return /\((needs [^)]+)\)/.exec(name)?.[1];
}
