/**
 * The check of playback tokens, from the settings that hold its keys.
 */
import { SettingError } from '../../contracts/settings.ts';
import { createPlaybackKeys } from '../src/playback_keys.ts';
import { createPlaybackVerifier } from '../src/playback_verifier.ts';
import type { VerifyPlayback } from '../src/playback_verifier.ts';

export interface PlaybackSettings {
  readonly playbackKeys: string | undefined;
  readonly playbackJwksUrl: string | undefined;
  readonly playbackAudience: string | undefined;
}

/**
 * @returns undefined when there are no keys: every token is refused then
 * @throws SettingError that names HW_PLAYBACK_KEYS, without its value
 */
export async function playbackFromSettings(settings: PlaybackSettings): Promise<VerifyPlayback | undefined> {
  const { playbackKeys, playbackJwksUrl, playbackAudience } = settings;
  if (playbackKeys === undefined && playbackJwksUrl === undefined) return undefined;
  try {
    const keyFor = await createPlaybackKeys(playbackKeys, playbackJwksUrl);
    return createPlaybackVerifier({ keyFor, audience: playbackAudience, wallMs: () => Date.now() });
  } catch (cause) {
    throw new SettingError(`HW_PLAYBACK_KEYS: wanted ${(cause as Error).message}`, { cause });
  }
}
