/**
 * One RTMP media message, as it goes from ingest to everything that uses it.
 */
export interface MediaTag {
  readonly kind: 'video' | 'audio' | 'metadata';
  /** Decoding time in ms from the publisher, unwrapped: it goes on rising past 2^32 (RTMP 1.0 section 5.3.1). */
  readonly timestampMs: number;
  /** The FLV tag's body (video_file_format_spec_v10_1, E.4). For metadata: AMF0 beginning with "onMetaData". The receiver may keep it; nobody writes to it. */
  readonly body: Buffer;
}
