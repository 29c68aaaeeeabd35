/**
 * What the edge reads from its environment, on every runtime that has one.
 */
import { SETTINGS, SETTING_NAMES } from '../../contracts/setting_table.ts';
import { SettingError, readSettings, refuseUnknownSettings } from '../../contracts/settings.ts';
import type { PlaybackSettings } from './playback_from_settings.ts';
import { DEFAULT_UPSTREAM_ALLOW, parseUpstreamAllow } from '../src/upstream_allow.ts';

export interface EdgeSettings extends PlaybackSettings {
  readonly port: number;
  readonly host: string;
  readonly metricsPort: number;
  /** False for the default port, without which the edge can do when another program has it. */
  readonly metricsPortIsSet: boolean;
  readonly resolveUrl: string;
  readonly resolveToken: string | undefined;
  readonly mediaToken: string | undefined;
  readonly upstreamAllow: string;
  readonly upstreamBase: 'private' | 'public';
  readonly logLevel: string;
}

const LOOPBACK = /^(?:127(?:\.[0-9]{1,3}){3}|localhost|::1|\[::1\])$/;

/** @throws SettingError in one line */
export function readEdgeSettings(env: Readonly<Record<string, string | undefined>>): EdgeSettings {
  refuseUnknownSettings(SETTING_NAMES, env);
  const read = readSettings(
    {
      bind: SETTINGS.bind,
      port: SETTINGS.port,
      edgePort: SETTINGS.edgePort,
      metricsPort: SETTINGS.metricsPort,
      resolveUrl: SETTINGS.resolveUrl,
      resolveToken: SETTINGS.resolveToken,
      mediaToken: SETTINGS.mediaToken,
      upstreamAllow: SETTINGS.upstreamAllow,
      upstreamBase: SETTINGS.upstreamBase,
      logLevel: SETTINGS.logLevel,
      playbackKeys: SETTINGS.playbackKeys,
      playbackJwksUrl: SETTINGS.playbackJwksUrl,
      playbackAudience: SETTINGS.playbackAudience,
    },
    env,
  );
  const { resolveUrl, resolveToken, mediaToken, bind } = read;
  const upstreamAllow = read.upstreamAllow ?? DEFAULT_UPSTREAM_ALLOW;
  checkAllow(upstreamAllow);
  if (resolveUrl === undefined) throw new SettingError('HW_RESOLVE_URL: not set, wanted the URL that finds streams');
  if (resolveToken === undefined && !LOOPBACK.test(new URL(resolveUrl).hostname)) {
    throw new SettingError('HW_RESOLVE_TOKEN: not set, wanted because HW_RESOLVE_URL is not on this machine');
  }
  if (mediaToken === undefined && !LOOPBACK.test(bind)) {
    throw new SettingError('HW_MEDIA_TOKEN: not set, wanted because HW_BIND is not a loopback address');
  }
  return {
    port: read.port === undefined ? read.edgePort : Number(read.port),
    host: bind,
    metricsPort: read.metricsPort,
    metricsPortIsSet: (env[SETTINGS.metricsPort.name] ?? '') !== '',
    resolveUrl,
    resolveToken,
    mediaToken,
    upstreamAllow,
    upstreamBase: read.upstreamBase,
    logLevel: read.logLevel,
    playbackKeys: read.playbackKeys,
    playbackJwksUrl: read.playbackJwksUrl,
    playbackAudience: read.playbackAudience,
  };
}

function checkAllow(list: string): void {
  try {
    parseUpstreamAllow(list);
  } catch (cause) {
    throw new SettingError(`HW_UPSTREAM_ALLOW: wanted ${(cause as Error).message}`, { cause });
  }
}
