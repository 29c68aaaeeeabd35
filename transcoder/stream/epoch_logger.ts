/**
 * A logger whose every line says in which epoch of the session it was written.
 */
import type { Epoch } from '../../contracts/ids.ts';
import type { Logger } from '../logger.ts';

/** @param epoch asked at each line; a line that names an epoch of its own keeps it */
export function epochLogger(logger: Logger, epoch: () => Epoch): Logger {
  return {
    debug: (fields, message) => logger.debug({ epoch: epoch(), ...fields }, message),
    info: (fields, message) => logger.info({ epoch: epoch(), ...fields }, message),
    warn: (fields, message) => logger.warn({ epoch: epoch(), ...fields }, message),
    error: (fields, message) => logger.error({ epoch: epoch(), ...fields }, message),
    child: (fields) => epochLogger(logger.child(fields), epoch),
  };
}
