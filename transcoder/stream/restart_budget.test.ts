import { expect, test } from 'vitest';
import { RestartBudget } from './restart_budget.ts';

test('ten starts at once, then one every six seconds', () => {
  const budget = new RestartBudget(0);
  for (let start = 0; start < 10; start += 1) expect(budget.take(0)).toBe(0);
  expect(budget.take(0)).toBe(6000);
  expect(budget.take(6000)).toBe(6000);
  expect(budget.take(600_000)).toBe(0);
});
