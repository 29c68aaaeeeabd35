/**
 * Reads FFmpeg's fragmented MP4 for tests, independently of the packager: the sample entry's size, and of each sample
 * its times, key flag and fragment (ISO/IEC 14496-12 sections 8.8 and 8.16).
 */

export interface Sample {
  /** In the track's timescale. */
  readonly decodeTime: number;
  readonly presentationTime: number;
  readonly duration: number;
  readonly key: boolean;
  readonly size: number;
  readonly fragment: number;
}

export interface Track {
  readonly timescale: number;
  /** Of the visual sample entry; 0 for audio. */
  readonly width: number;
  readonly height: number;
  /** Four characters of the sample entry: `avc1`, `mp4a`. */
  readonly sampleEntry: string;
  readonly samples: readonly Sample[];
}

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

function boxes(data: Buffer): Box[] {
  const found: Box[] = [];
  let at = 0;
  while (at + 8 <= data.length) {
    const size = data.readUInt32BE(at);
    if (size < 8 || at + size > data.length) throw new Error(`box at ${at} of size ${size} does not fit`);
    found.push({ type: data.toString('latin1', at + 4, at + 8), body: data.subarray(at + 8, at + size) });
    at += size;
  }
  return found;
}

function find(data: Buffer, ...path: string[]): Buffer {
  let body = data;
  for (const type of path) {
    const box = boxes(body).find((candidate) => candidate.type === type);
    if (box === undefined) throw new Error(`no box ${type} of ${path.join('/')}`);
    body = box.body;
  }
  return body;
}

/** @param file the whole output of one pipe with one track */
export function readFragments(file: Buffer): Track {
  const moov = find(file, 'moov');
  const media = find(moov, 'trak', 'mdia');
  const mdhd = find(media, 'mdhd');
  const entry = find(media, 'minf', 'stbl', 'stsd').subarray(8);
  const sampleEntry = entry.toString('latin1', 4, 8);
  const visual = sampleEntry.startsWith('avc');
  const samples: Sample[] = [];
  let fragment = 0;
  for (const box of boxes(file)) {
    if (box.type !== 'moof') continue;
    samples.push(...readMoof(box.body, fragment));
    fragment += 1;
  }
  return {
    timescale: mdhd.readUInt32BE(mdhd[0] === 1 ? 20 : 12),
    width: visual ? entry.readUInt16BE(32) : 0,
    height: visual ? entry.readUInt16BE(34) : 0,
    sampleEntry,
    samples,
  };
}

function readMoof(moof: Buffer, fragment: number): Sample[] {
  const tfhd = find(moof, 'traf', 'tfhd');
  const tfdt = find(moof, 'traf', 'tfdt');
  const flags = tfhd.readUIntBE(1, 3);
  let at = 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
  const defaults = { duration: 0, size: 0, flags: 0 };
  for (const [bit, name] of [
    [8, 'duration'],
    [16, 'size'],
    [32, 'flags'],
  ] as const) {
    if ((flags & bit) === 0) continue;
    defaults[name] = tfhd.readUInt32BE(at);
    at += 4;
  }
  let decodeTime = tfdt[0] === 1 ? Number(tfdt.readBigUInt64BE(4)) : tfdt.readUInt32BE(4);
  const samples: Sample[] = [];
  for (const { body } of boxes(find(moof, 'traf')).filter((box) => box.type === 'trun')) {
    for (const sample of readTrun(body, defaults)) {
      samples.push({
        decodeTime,
        presentationTime: decodeTime + sample.compositionOffset,
        duration: sample.duration,
        // sample_is_non_sync_sample (section 8.8.3.1)
        key: (sample.flags & 0x10000) === 0,
        size: sample.size,
        fragment,
      });
      decodeTime += sample.duration;
    }
  }
  return samples;
}

function readTrun(
  trun: Buffer,
  defaults: { readonly duration: number; readonly size: number; readonly flags: number },
): { duration: number; size: number; flags: number; compositionOffset: number }[] {
  const flags = trun.readUIntBE(1, 3);
  const count = trun.readUInt32BE(4);
  let at = 8 + (flags & 1 ? 4 : 0);
  let firstFlags: number | undefined;
  if (flags & 4) {
    firstFlags = trun.readUInt32BE(at);
    at += 4;
  }
  const samples = [];
  for (let index = 0; index < count; index += 1) {
    const sample = { ...defaults, compositionOffset: 0 };
    if (flags & 0x100) sample.duration = trun.readUInt32BE((at += 4) - 4);
    if (flags & 0x200) sample.size = trun.readUInt32BE((at += 4) - 4);
    if (flags & 0x400) sample.flags = trun.readUInt32BE((at += 4) - 4);
    if (flags & 0x800) sample.compositionOffset = trun.readInt32BE((at += 4) - 4);
    if (index === 0 && firstFlags !== undefined) sample.flags = firstFlags;
    samples.push(sample);
  }
  return samples;
}
