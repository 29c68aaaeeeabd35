/**
 * Error bodies in the form of RFC 9457 (problem+json): a status, a title and one line, nothing internal.
 */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
}

/** The JSON text of a problem, `type` being `about:blank` (RFC 9457 section 4.2.1). */
export function problemBody(problem: Problem): string {
  return JSON.stringify({ type: 'about:blank', ...problem });
}
