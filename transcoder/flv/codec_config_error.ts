/**
 * The one error of the codec header parsers: the publisher's bytes are not what their codec's specification allows.
 * It ends that publisher's stream and nothing else.
 */
export class CodecConfigError extends Error {
  override readonly name = 'CodecConfigError';
}
