/**
 * Marks fault rows that `script/test` leaves to `script/test --full`: other tests of the quick layer hold the same
 * behaviour without a player.
 */
import type { TestContext } from 'vitest';

export function needsFull(context: TestContext): void {
  if (process.env['HW_TEST_FULL'] !== '1') context.skip('needs script/test --full');
}
