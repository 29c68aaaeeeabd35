/**
 * The part of a pino logger that the transcoder uses. Fields hold ids and figures, never a key, a token or a URL's query.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger whose every line carries these fields too. */
  child(fields: object): Logger;
}
