/**
 * Thrown when a peer breaks RTMP or a limit. The guard answers it by destroying that one socket.
 */

/** Classes by which protocol errors are counted. */
export const PROTOCOL_ERROR_CLASSES = [
  'proxy',
  'tls',
  'handshake',
  'chunk',
  'control',
  'message-size',
  'amf',
  'command',
  'flood',
  'internal',
] as const;
export type ProtocolErrorClass = (typeof PROTOCOL_ERROR_CLASSES)[number];

export class RtmpProtocolError extends Error {
  override readonly name = 'RtmpProtocolError';
  readonly errorClass: ProtocolErrorClass;

  /** @param message what was got and what was wanted, in numbers only: it goes to the log */
  constructor(errorClass: ProtocolErrorClass, message: string) {
    super(message);
    this.errorClass = errorClass;
  }
}
