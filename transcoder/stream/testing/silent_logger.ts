/**
 * A logger for tests that do not look at the log.
 */
import type { Logger } from '../../logger.ts';

const nothing = (): void => undefined;

export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
};
