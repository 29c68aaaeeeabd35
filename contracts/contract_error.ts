/**
 * The one error that a contract's parser throws: what was got, what was wanted, and the path of the field.
 */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  /** Path of the bad field, such as `streams[2].epoch`; empty for the payload itself. */
  readonly path: string;

  constructor(path: string, message: string, options?: { cause?: unknown }) {
    super(path === '' ? message : `${path}: ${message}`, options);
    this.path = path;
  }
}
