/**
 * What this transcoder's streams count about their encoders: plain numbers, read by whatever exports them.
 */
export interface StreamCounters {
  /** FFmpeg runs that were begun for ladders. */
  encoderStarts: number;
  /** Of these, those that ended although nobody asked them to, or gave what could not be read. */
  encoderFailures: number;
}

export function newStreamCounters(): StreamCounters {
  return { encoderStarts: 0, encoderFailures: 0 };
}
