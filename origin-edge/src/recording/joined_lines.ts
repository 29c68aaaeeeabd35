/**
 * Joins what was recorded of a session to what its live playlist lists: by media sequence number, without holes and
 * without repeats.
 */
import type { PlaylistLine } from '../../../contracts/recording_playlist.ts';

/** What stands in for segments that nobody lists any more and nobody lists yet, s at the least. */
const SHORTEST_GAP = 0.1;
/** Numbers missing between the two beyond which the recorded ones are left out. */
const MAX_HOLE = 10_000;

/**
 * @param recorded ascending; may end before the live window begins, or within it
 * @param remembered lines seen earlier, ascending: they fill what lies between
 * @param live ascending without holes; the last word on what it lists
 * @param targetDuration s; no gap is longer
 */
export function joinLines(
  recorded: readonly PlaylistLine[],
  remembered: readonly PlaylistLine[],
  live: readonly PlaylistLine[],
  targetDuration: number,
): readonly PlaylistLine[] {
  const first = live[0];
  const older = first === undefined ? recorded : recorded.slice(0, countBelow(recorded, first.msn));
  const lines = [...contiguousEnd(older)];
  appendFollowing(lines, remembered, first?.msn);
  if (first === undefined) return lines;
  const before = lines.at(-1);
  if (before !== undefined && before.msn + 1 < first.msn) {
    // What came before so long a hole is another time's.
    if (first.msn - before.msn > MAX_HOLE) lines.length = 0;
    else appendGaps(lines, before, first, targetDuration);
  }
  return [...lines, ...live];
}

/** Lines of `remembered` that go on where `lines` end; all of them when there are none. */
function appendFollowing(lines: PlaylistLine[], remembered: readonly PlaylistLine[], end: number | undefined): void {
  for (const line of contiguousEnd(remembered)) {
    if (end !== undefined && line.msn >= end) return;
    const before = lines.at(-1);
    if (before === undefined || line.msn === before.msn + 1) lines.push(line);
  }
}

function appendGaps(lines: PlaylistLine[], before: PlaylistLine, after: PlaylistLine, targetDuration: number): void {
  const count = after.msn - before.msn - 1;
  const startMs = before.pdt + before.duration * 1000;
  const duration = Math.min(targetDuration, Math.max(SHORTEST_GAP, (after.pdt - startMs) / 1000 / count));
  for (let index = 0; index < count; index += 1) {
    const { epoch, msn } = before;
    lines.push({ msn: msn + 1 + index, epoch, pdt: startMs + index * duration * 1000, duration, gap: true });
  }
}

/** The lines at the end that rise by one. */
function contiguousEnd(lines: readonly PlaylistLine[]): readonly PlaylistLine[] {
  let from = lines.length - 1;
  while (from > 0 && lines[from - 1]?.msn === (lines[from]?.msn ?? 0) - 1) from -= 1;
  return from <= 0 ? lines : lines.slice(from);
}

/** How many lines have a number below `msn`. */
function countBelow(lines: readonly PlaylistLine[], msn: number): number {
  let count = lines.length;
  while (count > 0 && (lines[count - 1]?.msn ?? 0) >= msn) count -= 1;
  return count;
}

/** Index of the first line that is within `seconds` of the end. */
export function windowStart(lines: readonly { readonly duration: number }[], seconds: number): number {
  let rest = 0;
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    rest += lines[index]?.duration ?? 0;
    if (rest > seconds) return index + 1;
  }
  return 0;
}

/** How often the epoch changes from one line to the next, up to the one at `end`. */
export function epochChanges(lines: readonly { readonly epoch: number }[], end: number): number {
  let changes = 0;
  for (let index = 1; index <= end; index += 1) {
    if (lines[index]?.epoch !== lines[index - 1]?.epoch) changes += 1;
  }
  return changes;
}
