/**
 * What the edge reads from its environment, on every runtime that has one.
 */
import { parseRedisUrl } from '../../contracts/redis_url.ts';
import { SETTINGS, SETTING_NAMES } from '../../contracts/setting_table.ts';
import { SettingError, readSettings, refuseUnknownSettings } from '../../contracts/settings.ts';
import type { PlaybackSettings } from './playback_from_settings.ts';
import { DEFAULT_UPSTREAM_ALLOW, parseUpstreamAllow } from '../src/upstream_allow.ts';

/** Where streams are found: in Redis, or through the `resolve` function. */
export type RegistrySettings =
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'http'; readonly url: string; readonly token: string | undefined };

export interface EdgeSettings extends PlaybackSettings {
  readonly port: number;
  readonly host: string;
  readonly metricsPort: number;
  /** False for the default port, without which the edge can do when another program has it. */
  readonly metricsPortIsSet: boolean;
  readonly registry: RegistrySettings;
  readonly mediaToken: string | undefined;
  readonly upstreamAllow: string;
  readonly upstreamBase: 'private' | 'public';
  readonly logLevel: string;
}

const LOOPBACK = /^(?:127(?:\.[0-9]{1,3}){3}|localhost|::1|\[::1\])$/;

/**
 * @param canHoldRedis false on Workers, where no connection outlives a request: REDIS_URL is passed over there
 * @throws SettingError in one line
 */
export function readEdgeSettings(env: Readonly<Record<string, string | undefined>>, canHoldRedis = true): EdgeSettings {
  refuseUnknownSettings(SETTING_NAMES, env);
  const read = readSettings(
    {
      bind: SETTINGS.bind,
      port: SETTINGS.port,
      edgePort: SETTINGS.edgePort,
      metricsPort: SETTINGS.metricsPort,
      redisUrl: SETTINGS.redisUrl,
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
  const { mediaToken, bind } = read;
  const upstreamAllow = read.upstreamAllow ?? DEFAULT_UPSTREAM_ALLOW;
  checkAllow(upstreamAllow);
  if (mediaToken === undefined && !LOOPBACK.test(bind)) {
    throw new SettingError('HW_MEDIA_TOKEN: not set, wanted because HW_BIND is not a loopback address');
  }
  return {
    port: read.port === undefined ? read.edgePort : Number(read.port),
    host: bind,
    metricsPort: read.metricsPort,
    metricsPortIsSet: (env[SETTINGS.metricsPort.name] ?? '') !== '',
    registry: readRegistry(canHoldRedis ? read : { ...read, redisUrl: undefined }),
    mediaToken,
    upstreamAllow,
    upstreamBase: read.upstreamBase,
    logLevel: read.logLevel,
    playbackKeys: read.playbackKeys,
    playbackJwksUrl: read.playbackJwksUrl,
    playbackAudience: read.playbackAudience,
  };
}

interface RegistryTexts {
  readonly redisUrl: string | undefined;
  readonly resolveUrl: string | undefined;
  readonly resolveToken: string | undefined;
}

function readRegistry({ redisUrl, resolveUrl, resolveToken }: RegistryTexts): RegistrySettings {
  if (redisUrl !== undefined) {
    checkRedisUrl(redisUrl);
    return { kind: 'redis', url: redisUrl };
  }
  if (resolveUrl === undefined) {
    throw new SettingError(
      'HW_RESOLVE_URL: not set, wanted the URL that finds streams, or REDIS_URL where there is one',
    );
  }
  if (resolveToken === undefined && !LOOPBACK.test(new URL(resolveUrl).hostname)) {
    throw new SettingError('HW_RESOLVE_TOKEN: not set, wanted because HW_RESOLVE_URL is not on this machine');
  }
  return { kind: 'http', url: resolveUrl, token: resolveToken };
}

function checkRedisUrl(url: string): void {
  try {
    parseRedisUrl(url);
  } catch (cause) {
    throw new SettingError((cause as Error).message, { cause });
  }
}

function checkAllow(list: string): void {
  try {
    parseUpstreamAllow(list);
  } catch (cause) {
    throw new SettingError(`HW_UPSTREAM_ALLOW: wanted ${(cause as Error).message}`, { cause });
  }
}
