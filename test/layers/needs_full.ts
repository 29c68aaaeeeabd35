/**
 * Marks tests that `script/test` leaves to `script/test --full`: they need other programs, or much time.
 */
import type { TestContext } from 'vitest';

/** Whether `script/test --full` runs. */
export const isFull = process.env['HW_TEST_FULL'] === '1';

export function needsFull(context: TestContext): void {
  if (!isFull) context.skip('needs script/test --full');
}
