/**
 * A Vitest reporter that writes the tally of a run to the file named by HW_TEST_TALLY, for test/layers/run.ts.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter } from 'vitest/node';
import type { SkippedTest } from './tally.ts';

export default class TallyReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandledErrors) => {
    const path = process.env['HW_TEST_TALLY'];
    if (path === undefined) throw new Error('HW_TEST_TALLY is not set, wanted the path of a file');
    let passed = 0;
    let failed = unhandledErrors.length;
    const skipped: SkippedTest[] = [];
    for (const module of modules) {
      // Errors outside of a test: a file that does not load, a hook that throws.
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'failed') failed += 1;
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
