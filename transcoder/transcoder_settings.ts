/**
 * What the transcoder is told, from the settings of the environment.
 */
import { join, resolve } from 'node:path';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings, SettingError } from '../contracts/settings.ts';
import type { EncoderSettings } from './encode/encoder_settings.ts';
import { DEFAULT_ENCODER_SETTINGS, parseEncoderSettings } from './encode/encoder_settings.ts';
import { DEFAULT_LADDER, parseLadder } from './encode/ladder_rungs.ts';
import { DEFAULT_RELAY_SERVICES, parseRelayServices } from './relay/relay_services.ts';
import type { RelayServices } from './relay/relay_services.ts';
import { parseTranscodeSettings } from './relay/transcode_settings.ts';
import type { TranscodeSettings } from './relay/transcode_settings.ts';
import type { RecorderSettings } from './record/recorder.ts';
import type { StreamSettings } from './stream/stream_settings.ts';

export interface TranscoderSettings {
  readonly serverId: string;
  readonly bind: string;
  readonly rtmpPort: number;
  readonly tls: { readonly port: number; readonly certFile: string; readonly keyFile: string } | undefined;
  readonly proxyProtocol: boolean;
  readonly mediaPort: number;
  readonly mediaToken: string | undefined;
  readonly advertiseUrl: string | undefined;
  readonly advertisePublicUrl: string | undefined;
  readonly maxStreams: number;
  /** The operator has chosen the number; else it is a guess from the CPUs. */
  readonly maxStreamsIsSet: boolean;
  readonly ffmpeg: string;
  readonly encoder: EncoderSettings;
  readonly stream: StreamSettings;
  readonly recorder: RecorderSettings;
  readonly relays: {
    readonly services: RelayServices;
    /** Lets relays go to loopback, private and link-local addresses too. */
    readonly allowPrivate: boolean;
    readonly transcode: { readonly ffmpeg: string; readonly settings: TranscodeSettings };
  };
}

/** Media stays this long after ENDLIST, ms. */
const GRACE_MS = 120_000;
/** Streams per CPU when the operator sets no number: most of a stream's cost is its encodes. */
const STREAMS_PER_CPU = 4;

export interface Machine {
  readonly cpus: number;
  /** For a server id when none is set. */
  readonly randomId: () => string;
  /** Address that the platform gave it, for HW_ADVERTISE_URL when that is not set. */
  readonly address?: string | undefined;
}

type SettingValues = ReturnType<typeof readSettings<typeof SETTINGS>>;

/** @throws SettingError in one line */
export function readTranscoderSettings(
  env: Readonly<Record<string, string | undefined>>,
  machine: Machine,
): TranscoderSettings {
  const values = readSettings(SETTINGS, env);
  const { bind, mediaToken, tlsCert, tlsKey, segmentSeconds, partSeconds } = values;
  if (!isLoopback(bind) && mediaToken === undefined) {
    throw new SettingError(`HW_MEDIA_TOKEN: not set, wanted a token because HW_BIND=${bind} is not loopback`);
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new SettingError(
      `${tlsCert === undefined ? 'HW_TLS_CERT' : 'HW_TLS_KEY'}: not set, wanted because the other one is`,
    );
  }
  if (partSeconds * 2 > segmentSeconds) {
    throw new SettingError(
      `HW_PART_SECONDS: got ${partSeconds}, wanted at most half of HW_SEGMENT_SECONDS (${segmentSeconds})`,
    );
  }
  const mediaPort = values.port === undefined ? values.mediaPort : Number(values.port);
  const ownUrl = machine.address === undefined ? undefined : `http://${machine.address}:${mediaPort}`;
  return {
    serverId: values.serverId ?? machine.randomId(),
    bind,
    rtmpPort: values.rtmpPort,
    tls:
      tlsCert === undefined || tlsKey === undefined
        ? undefined
        : { port: values.rtmpsPort, certFile: tlsCert, keyFile: tlsKey },
    proxyProtocol: values.proxyProtocol,
    mediaPort,
    mediaToken,
    advertiseUrl: values.advertiseUrl ?? ownUrl,
    advertisePublicUrl: values.advertisePublicUrl,
    maxStreams: values.maxStreams > 0 ? values.maxStreams : Math.max(1, machine.cpus * STREAMS_PER_CPU),
    maxStreamsIsSet: values.maxStreams > 0,
    ffmpeg: values.ffmpeg,
    encoder: named('HW_ENCODER', () =>
      values.encoder === undefined ? DEFAULT_ENCODER_SETTINGS : parseEncoderSettings(values.encoder),
    ),
    stream: {
      rungs: named('HW_LADDER', () => (values.ladder === undefined ? DEFAULT_LADDER : parseLadder(values.ladder))),
      reconnectWindowMs: values.reconnectWindow * 1000,
      goodbyeWindowMs: values.goodbyeWindow * 1000,
      graceMs: GRACE_MS,
      topRendition: values.topRendition,
      segmentSeconds,
      partSeconds,
      playback: values.playback,
      record: values.record,
    },
    recorder: recorderSettings(values),
    relays: relaySettings(values),
  };
}

function recorderSettings(values: SettingValues): RecorderSettings {
  return {
    record: values.record,
    keepDays: values.recordKeepDays,
    maxMemoryBytes: values.recordingMemoryMb * 1e6,
    spillFolder: resolve(values.recordingSpillDir ?? join(values.dataDir, 'spill')),
    maxSpillBytes: values.recordingSpillMb * 1e6,
  };
}

function relaySettings(values: SettingValues): TranscoderSettings['relays'] {
  return {
    services: named('HW_RELAY_SERVICES', () =>
      values.relayServices === undefined ? DEFAULT_RELAY_SERVICES : parseRelayServices(values.relayServices),
    ),
    allowPrivate: values.relayAllowPrivate,
    transcode: {
      ffmpeg: values.ffmpeg,
      settings: named('HW_RELAY_TRANSCODE', () => parseTranscodeSettings(values.relayTranscode)),
    },
  };
}

export function isLoopback(bind: string): boolean {
  return bind === 'localhost' || bind === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(bind);
}

function named<Value>(setting: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    throw new SettingError(`${setting}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
