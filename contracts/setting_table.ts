/**
 * Every setting of every program, in one table: an operator may give all programs one environment, so each program
 * must know the others' names. docs/configuration.md is held to this list by a test.
 */
import {
  choiceSetting,
  defaultedTextSetting,
  flagSetting,
  numberSetting,
  textSetting,
  wantHttpUrl,
} from './settings.ts';

const PORT_RANGE = { min: 0, max: 65_535, whole: true };

export const SETTINGS = {
  bind: defaultedTextSetting('HW_BIND', '127.0.0.1', {
    doc: 'Address that all listeners bind to. `0.0.0.0` opens the machine to the network.',
  }),
  dataDir: defaultedTextSetting('HW_DATA_DIR', './data', { doc: 'Folder of the one-machine run: keys, recordings.' }),
  logLevel: choiceSetting('LOG_LEVEL', 'info', ['fatal', 'error', 'warn', 'info', 'debug', 'silent'], {
    doc: 'Least severe level that is logged.',
  }),
  port: textSetting(
    'PORT',
    { doc: 'Port of a program that is started alone; for the transcoder its media port.' },
    (text) => (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535 ? undefined : 'a port from 0 to 65535'),
  ),
  rtmpPort: numberSetting('HW_RTMP_PORT', 1935, PORT_RANGE, { doc: 'RTMP port of publishers. 0 picks one.' }),
  rtmpsPort: numberSetting('HW_RTMPS_PORT', 1936, PORT_RANGE, {
    doc: 'RTMPS port of publishers; opened when a certificate is set.',
  }),
  tlsCert: textSetting('HW_TLS_CERT', { doc: 'PEM file of the RTMPS certificate chain.' }),
  tlsKey: textSetting('HW_TLS_KEY', { doc: 'PEM file of the RTMPS private key.' }),
  edgePort: numberSetting('HW_EDGE_PORT', 8080, PORT_RANGE, { doc: 'HTTP port of viewers. 0 picks one.' }),
  mediaPort: numberSetting('HW_MEDIA_PORT', 8000, PORT_RANGE, {
    doc: "HTTP port of the transcoder's media server, for edges only. 0 picks one.",
  }),
  metricsPort: numberSetting('HW_METRICS_PORT', 9464, PORT_RANGE, {
    doc: 'Port of `/metrics`; the one-machine run serves it on 127.0.0.1 alone. 0 picks one.',
  }),
  functionsPort: numberSetting('HW_FUNCTIONS_PORT', 9000, PORT_RANGE, { doc: 'Port of the local Invoke endpoint.' }),
  functionPrefix: defaultedTextSetting('HW_FUNCTION_PREFIX', 'headwater-', {
    doc: 'What stands before each function name in Lambda.',
  }),
  control: choiceSetting('HW_CONTROL', 'embedded', ['embedded', 'lambda'], {
    doc: 'Where the control plane runs: in the same process, or in Lambda.',
  }),
  streamKeys: textSetting('HW_STREAM_KEYS', { doc: 'Static keys, `streamId=streamKey,…`.', secret: true }),
  streamKeysSecret: textSetting('HW_STREAM_KEYS_SECRET', {
    doc: 'Name or ARN of a secret in AWS Secrets Manager with static keys as digests, `streamId=sha256:…,…`. Read again within a minute.',
  }),
  authWebhookUrl: textSetting(
    'HW_AUTH_WEBHOOK_URL',
    { doc: 'Your webhook that decides who may publish. When it is set, it alone decides.' },
    wantHttpUrl,
  ),
  authWebhookSecret: textSetting('HW_AUTH_WEBHOOK_SECRET', {
    doc: 'Standard Webhooks secret (`whsec_…`) that signs the publish webhook; two, separated by a comma, while rotating.',
    secret: true,
  }),
  eventWebhookUrl: textSetting(
    'HW_EVENT_WEBHOOK_URL',
    { doc: 'Your webhook that is told of stream events.' },
    wantHttpUrl,
  ),
  eventWebhookSecret: textSetting('HW_EVENT_WEBHOOK_SECRET', {
    doc: 'Standard Webhooks secret of the events.',
    secret: true,
  }),
  eventQueueUrl: textSetting(
    'HW_EVENT_QUEUE_URL',
    { doc: 'SQS FIFO queue that session events wait in. Unset: a file in HW_DATA_DIR.' },
    wantHttpUrl,
  ),
  healthQueueUrl: textSetting(
    'HW_HEALTH_QUEUE_URL',
    { doc: 'SQS standard queue of health events, which expire.' },
    wantHttpUrl,
  ),
  eventDlqArn: textSetting('HW_EVENT_DLQ_ARN', {
    doc: 'ARN of the dead-letter queue, for `npm run hw -- dlq replay`.',
  }),
  webhookAllowPrivate: flagSetting('HW_WEBHOOK_ALLOW_PRIVATE', {
    doc: '1 lets webhooks go to private, loopback and link-local addresses.',
  }),
  relayAllowPrivate: flagSetting('HW_RELAY_ALLOW_PRIVATE', {
    doc: '1 lets relays go to private addresses (for a lab).',
  }),
  relayServices: textSetting('HW_RELAY_SERVICES', {
    doc: 'Services that a publisher can relay to by name, and their addresses: `name=url,…`.',
  }),
  relayTranscode: defaultedTextSetting('HW_RELAY_TRANSCODE', '720p30:3500k:160k', {
    doc: 'What transcoded relays get: `{short side}p{frames per second}:{video bitrate}:{audio bitrate}`, at most.',
  }),
  reconnectWindow: numberSetting(
    'HW_RECONNECT_WINDOW',
    60,
    { min: 0, max: 3600 },
    {
      doc: 'Seconds that a session waits for its publisher after a lost connection.',
    },
  ),
  goodbyeWindow: numberSetting(
    'HW_GOODBYE_WINDOW',
    10,
    { min: 0, max: 3600 },
    {
      doc: 'Seconds that a session waits after its publisher said goodbye.',
    },
  ),
  topRendition: choiceSetting('HW_TOP_RENDITION', 'copy', ['copy', 'encode'], {
    doc: 'copy: the source is passed through as the top rendition where codec, key frames and bitrate allow it. encode: all renditions are encoded.',
  }),
  ladder: textSetting('HW_LADDER', {
    doc: 'Rungs as `name:video:maxrate:audio,…`, such as `360p:800k:856k:96k,720p:2800k:2996k:128k`.',
  }),
  encoder: textSetting('HW_ENCODER', { doc: 'Overrides of the encoder settings, see docs/configuration.md.' }),
  segmentSeconds: numberSetting('HW_SEGMENT_SECONDS', 2, { min: 1, max: 10 }, { doc: 'Length of a segment, s.' }),
  partSeconds: numberSetting('HW_PART_SECONDS', 0.5, { min: 0.2, max: 1 }, { doc: 'Length of a part, s.' }),
  rewindWindow: numberSetting(
    'HW_REWIND_WINDOW',
    14_400,
    { min: 60, max: 86_400 },
    {
      doc: 'Seconds that a viewer may rewind.',
    },
  ),
  record: choiceSetting('HW_RECORD', 'all', ['all', 'top', 'off'], { doc: 'Which renditions are recorded.' }),
  recordKeepDays: numberSetting(
    'HW_RECORD_KEEP_DAYS',
    0,
    { min: 0, max: 36_500, whole: true },
    {
      doc: 'Days that recordings are kept, unless the publish webhook says otherwise. 0: until they are deleted by hand.',
    },
  ),
  recordingStore: textSetting('HW_RECORDING_STORE', {
    doc: 'Where recordings go: `file:PATH` or `s3://bucket/prefix`. The one-machine run: the folder `recordings` in `HW_DATA_DIR`.',
  }),
  recordingSpillDir: textSetting('HW_RECORDING_SPILL_DIR', {
    doc: 'Folder where uploads wait while the store is away. Not set: the folder `spill` in `HW_DATA_DIR`.',
  }),
  recordingSpillMb: numberSetting(
    'HW_RECORDING_SPILL_MB',
    4096,
    { min: 0, max: 10_000_000, whole: true },
    { doc: 'Megabytes that may wait in that folder; what has no room is lost and marked as a gap.' },
  ),
  recordingMemoryMb: numberSetting(
    'HW_RECORDING_MEMORY_MB',
    64,
    { min: 8, max: 100_000, whole: true },
    { doc: 'Megabytes of media that may wait for the store in memory.' },
  ),
  s3Endpoint: textSetting(
    'AWS_ENDPOINT_URL_S3',
    { doc: "URL of an S3 that is not Amazon's; its buckets are then part of the path." },
    wantHttpUrl,
  ),
  playback: choiceSetting('HW_PLAYBACK', 'public', ['public', 'signed'], {
    doc: 'Who may watch a stream that says nothing else.',
  }),
  playbackKeys: textSetting('HW_PLAYBACK_KEYS', { doc: 'Keys of playback tokens.', secret: true }),
  playbackJwksUrl: textSetting('HW_PLAYBACK_JWKS_URL', { doc: 'JWKS of playback tokens.' }, wantHttpUrl),
  playbackAudience: textSetting('HW_PLAYBACK_AUDIENCE', { doc: 'The `aud` that playback tokens must have.' }),
  resolveUrl: textSetting('HW_RESOLVE_URL', { doc: 'HTTPS look-up of streams, for edges without Redis.' }, wantHttpUrl),
  resolveToken: textSetting('HW_RESOLVE_TOKEN', { doc: 'Bearer token of HW_RESOLVE_URL.', secret: true }),
  mediaToken: textSetting('HW_MEDIA_TOKEN', {
    doc: 'Bearer token that edges show to the media server. Required off loopback.',
    secret: true,
  }),
  upstreamAllow: textSetting('HW_UPSTREAM_ALLOW', {
    doc: 'CIDRs or host suffixes, separated by commas, that the edge may fetch from.',
  }),
  upstreamBase: choiceSetting('HW_UPSTREAM_BASE', 'private', ['private', 'public'], {
    doc: "Which of a server's two addresses this edge uses.",
  }),
  serverId: textSetting(
    'HW_SERVER_ID',
    { doc: 'Name of this transcoder in the registry; made up at each start when it is not set.' },
    (text) =>
      /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/.test(text) ? undefined : 'letters, digits, and _ . : - (at most 128)',
  ),
  advertiseUrl: textSetting(
    'HW_ADVERTISE_URL',
    { doc: 'Base URL at which edges reach this media server.' },
    wantHttpUrl,
  ),
  advertisePublicUrl: textSetting(
    'HW_ADVERTISE_PUBLIC_URL',
    { doc: 'The same for edges outside the private network.' },
    wantHttpUrl,
  ),
  maxStreams: numberSetting(
    'HW_MAX_STREAMS',
    0,
    { min: 0, max: 10_000, whole: true },
    {
      doc: 'Streams that this transcoder takes at once. 0: from its CPU count.',
    },
  ),
  ffmpeg: defaultedTextSetting('HW_FFMPEG', 'ffmpeg', { doc: 'The FFmpeg program: a path, or a name on PATH.' }),
  proxyProtocol: flagSetting('HW_PROXY_PROTOCOL', {
    doc: "1 takes the publisher's address from PROXY protocol v2, which the load balancer must then send.",
  }),
  otlpEndpoint: textSetting(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    { doc: 'OpenTelemetry collector that traces go to, over OTLP/HTTP in JSON. Without it there are none.' },
    wantHttpUrl,
  ),
  otlpTracesEndpoint: textSetting(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    { doc: 'The same as the whole URL, without `/v1/traces` added.' },
    wantHttpUrl,
  ),
  otlpHeaders: textSetting('OTEL_EXPORTER_OTLP_HEADERS', {
    doc: 'Headers for the collector, `name=value,…`.',
    secret: true,
  }),
  otelServiceName: defaultedTextSetting('OTEL_SERVICE_NAME', 'headwater-transcoder', {
    doc: 'What the transcoder is called in traces.',
  }),
  redisUrl: textSetting('REDIS_URL', { doc: 'Redis of the registry: `redis://` or `rediss://`.', secret: true }),
} as const;

/** Names of all settings of our own. */
export const SETTING_NAMES: readonly string[] = Object.values(SETTINGS).map((definition) => definition.name);
