import { expect, test } from 'vitest';
import { LogBudget } from './log_budget.ts';

test('a second has its lines, errors always pass, and what was left out is told', () => {
  const lines: string[] = [];
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  let nowMs = 5000;
  const budget = new LogBudget({ info: log, warn: log, error: log }, 2, () => nowMs);
  for (const name of ['a', 'b', 'c']) budget.warn({}, name);
  budget.info({}, 'd');
  budget.error({}, 'e');
  nowMs = 6000;
  budget.info({}, 'f');
  expect(lines).toStrictEqual(['a {}', 'b {}', 'e {}', 'ingest: log lines left out {"lines":2}', 'f {}']);
});
