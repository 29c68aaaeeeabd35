/**
 * Who may watch a recording is said by the recording itself, whatever its stream's policy is today.
 */
import type { MediaPath } from '../../contracts/media_paths.ts';
import type { PlaybackPolicy } from '../../contracts/registry.ts';
import type { RecordingObjects } from './recording/recording_objects.ts';
import type { StreamLookup } from './stream_lookup.ts';

export interface OwnPolicyParts {
  readonly lookup: Pick<StreamLookup, 'policy' | 'policyBefore' | 'find'>;
  readonly recordings: Pick<RecordingObjects, 'policy' | 'newestPolicy'> | undefined;
}

/**
 * @returns undefined when the stream's policy decides; `unavailable` when nobody can say, so that nobody may
 */
export async function ownPolicy(
  { lookup, recordings }: OwnPolicyParts,
  path: MediaPath,
): Promise<PlaybackPolicy | 'unavailable' | undefined> {
  switch (path.kind) {
    case 'vod-multivariant':
    case 'vod-media':
      // A recording that does not exist has nothing to show: its 404 needs no token.
      return recordings?.policy(path).then(
        (policy) => policy ?? 'public',
        () => 'unavailable',
      );
    case 'init':
    case 'segment':
    case 'part': {
      // The stream's policy is that of its present session: what is from before may have been for all, or for few.
      const record = await lookup.find(path.streamId).catch(() => undefined);
      if (record !== undefined && path.epoch >= record.startedAtMs) return undefined;
      const known = lookup.policyBefore(path.streamId, path.epoch);
      return known ?? recordings?.policy(path).catch(() => 'unavailable');
    }
    case 'status':
    case 'poster': {
      const record = await lookup.find(path.streamId).catch(() => undefined);
      // A stream that the registry has forgotten is known by its newest recording.
      return record === undefined ? recordings?.newestPolicy(path.streamId).catch(() => undefined) : undefined;
    }
    default:
      return undefined;
  }
}
