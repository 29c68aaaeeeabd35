/**
 * What a function writes: one JSON object a line, for CloudWatch Logs, with the figures of each call in the Embedded
 * Metric Format. Fields hold ids and figures, never a key, a token or a URL.
 */
export type LogLevel = 'info' | 'warn' | 'error';
export type FunctionLog = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void;

/** @param write takes one line without its end */
export function createFunctionLog(write: (line: string) => void, nowMs: () => number): FunctionLog {
  return (level, message, fields) => {
    write(JSON.stringify({ level, time: new Date(nowMs()).toISOString(), msg: message, ...fields }));
  };
}

/** One call's duration and whether it failed, as metrics of the function (CloudWatch EMF specification 0). */
export function callMetrics(name: string, atMs: number, durationMs: number, failed: boolean): Record<string, unknown> {
  return {
    _aws: {
      Timestamp: Math.floor(atMs),
      CloudWatchMetrics: [
        {
          Namespace: 'Headwater',
          Dimensions: [['function']],
          Metrics: [
            { Name: 'CallDuration', Unit: 'Milliseconds' },
            { Name: 'CallErrors', Unit: 'Count' },
          ],
        },
      ],
    },
    function: name,
    CallDuration: Math.round(durationMs * 1000) / 1000,
    CallErrors: failed ? 1 : 0,
  };
}
