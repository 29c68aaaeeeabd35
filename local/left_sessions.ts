/**
 * Ends the sessions that an earlier one-machine run was killed over: its registry was in memory, and only the file of
 * events knows that somebody was told of them.
 */
import type { EventFile } from './event_file.ts';

/** Called before this run has sessions of its own. Twice is as good as once. @param nowMs ms since 1970 */
export async function endLeftSessions(file: Pick<EventFile, 'leftOpen' | 'send'>, nowMs: number): Promise<void> {
  for (const { streamId, sessionId, sequence } of file.leftOpen()) {
    await file.send({
      // The registry's own id of this event.
      id: `evt_${sessionId}_ended`,
      type: 'stream.ended',
      streamId,
      sessionId,
      // This run's registry goes on from the clock in ms, which is far above.
      sequence: sequence + 1,
      timestamp: new Date(nowMs).toISOString(),
      // When it stopped is not known, so neither is how long the show was: `vod.ready` says what there is of it.
      data: { reason: 'its server was stopped' },
    });
  }
}
