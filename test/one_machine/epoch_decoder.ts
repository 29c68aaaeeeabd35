/**
 * Decodes one epoch's media with FFmpeg, as a player would after fetching it, and tells at which times its pictures and
 * sounds stand.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface DecodedTrack {
  readonly kind: 'video' | 'audio';
  /** When each frame begins, s, ascending as decoded. */
  readonly times: readonly number[];
  /** How long the last one lasts, s. */
  readonly lastDuration: number;
}

export interface DecodedMedia {
  readonly tracks: readonly DecodedTrack[];
  /** Of the loudest sample, dB of full scale; minus infinity without sound. */
  readonly peakDb: number;
  /** FFmpeg's warnings and errors; empty when all went well. */
  readonly complaints: string;
}

/** Times as they are, every frame once, and each line of the log with its level. */
const INPUT = ['-hide_banner', '-nostdin', '-nostats', '-v', 'level+info', '-threads', '1', '-copyts', '-i', 'pipe:0'];
const OUTPUT = [
  ['-map', '0', '-af', 'volumedetect', '-fps_mode', 'passthrough', '-enc_time_base:v', '1:90000'],
  ['-f', 'framecrc', 'pipe:1'],
].flat();

/** @param media an initialization segment and the segments that follow it */
export async function decodeMedia(media: readonly Buffer[]): Promise<DecodedMedia> {
  const child = spawn('ffmpeg', [...INPUT, ...OUTPUT], { stdio: ['pipe', 'pipe', 'pipe'] });
  // FFmpeg may end before it has read everything; what it says and gives tells that.
  child.stdin.on('error', () => undefined);
  child.stdin.end(Buffer.concat(media));
  const exited = once(child, 'close') as Promise<[number | null]>;
  const [frames, log, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  const complaints = log
    .split('\n')
    .filter((line) => /\[(warning|error|fatal|panic)\]/.test(line))
    .join('\n');
  return {
    tracks: readTracks(frames),
    peakDb: Number(/max_volume: (-?[0-9.]+) dB/.exec(log)?.[1] ?? Number.NEGATIVE_INFINITY),
    complaints: code === 0 ? complaints : `FFmpeg ended with code ${code}\n${complaints}`,
  };
}

interface OpenTrack {
  kind: 'video' | 'audio';
  secondsPerTick: number;
  times: number[];
  lastDuration: number;
}

/** Lines such as `#tb 0: 1/90000`, `#media_type 0: video` and `0, 990000, 990000, 3000, 86400, 0x…`. */
function readTracks(frames: string): DecodedTrack[] {
  const tracks = new Map<string, OpenTrack>();
  const track = (index: string): OpenTrack => {
    const known = tracks.get(index) ?? { kind: 'video', secondsPerTick: 1, times: [], lastDuration: 0 };
    tracks.set(index, known);
    return known;
  };
  for (const line of frames.split('\n')) {
    const header = /^#(tb|media_type) ([0-9]+): (.+)$/.exec(line);
    if (header !== null) {
      const [, name, index = '', value = ''] = header;
      const [numerator = 1, denominator = 1] = value.split('/').map(Number);
      if (name === 'tb') track(index).secondsPerTick = numerator / denominator;
      else track(index).kind = value.trim() === 'audio' ? 'audio' : 'video';
    } else if (/^[0-9]/.test(line)) {
      const [index = '', , pts, duration] = line.split(',').map((field) => field.trim());
      const known = track(index);
      known.times.push(Number(pts) * known.secondsPerTick);
      known.lastDuration = Number(duration) * known.secondsPerTick;
    }
  }
  return [...tracks.values()];
}
