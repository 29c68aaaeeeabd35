/**
 * What a checking viewer may complain of when its server was killed: media that the server took with it. Playlists are
 * no exception.
 */
import type { CheckingViewer } from '../one_machine/checking_viewer.ts';

/** @param violations of the viewer, whose first epoch was that of the killed server */
export function withoutLostMedia(violations: readonly string[], viewer: CheckingViewer): readonly string[] {
  const lost = viewer.epochs[0]?.map.replace(/[^/]+$/, '');
  if (lost === undefined) return violations;
  return violations.filter((line) => !(line.startsWith(lost) && /answered (?:404|503)/.test(line)));
}
