import { describe, expect, it } from 'vitest';
import type { SourceDescription } from './encode_plan.ts';
import { DEFAULT_ENCODER_SETTINGS } from './encoder_settings.ts';
import { buildFfmpegCommand } from './ffmpeg_arguments.ts';
import { deriveLadder } from './ladder.ts';
import { DEFAULT_LADDER } from './ladder_rungs.ts';

const VIDEO = {
  codec: 'h264',
  width: 1280,
  height: 720,
  codecString: 'avc1.64001f',
  passThrough: true,
  frameRate: { numerator: 30, denominator: 1 },
} as const;
const AUDIO = { codec: 'aac', sampleRate: 48_000, channels: 2 } as const;

function command(source: SourceDescription, top: 'copy' | 'encode', startSeconds?: number) {
  const plan = deriveLadder(source, { rungs: DEFAULT_LADDER, top, segmentSeconds: 2, partSeconds: 0.5 });
  return buildFfmpegCommand(plan, DEFAULT_ENCODER_SETTINGS, startSeconds);
}

/** One line per output, the input first. */
function lines(args: readonly string[]): string[] {
  return args
    .join(' ')
    .replaceAll(/ -map /g, '\n-map ')
    .split('\n');
}

const GLOBAL = '-hide_banner -nostdin -nostats -loglevel warning -filter_threads 1 -protocol_whitelist pipe -copyts';
const FLV = '-fpsprobesize 0 -analyzeduration 1000000 -f flv -i pipe:0';
const MP4 = '-map_metadata -1 -use_editlist 0 -output_ts_offset 10 -flush_packets 1 -f mp4 -movflags';
const FLAGS = '+cmaf+empty_moov+default_base_moof+frag_discont+skip_trailer';
const X264 = '-c:v libx264 -preset superfast -profile:v high -threads 1 -x264-params';
const PARAMS =
  'rc-lookahead=6:mbtree=1:weightp=1:bframes=1:aq-strength=0.8:partitions=i4x4,i8x8,p8x8:scenecut=0:open-gop=0';
const GRID = '-fps_mode passthrough -g 60 -keyint_min 60';
const FOLLOW = '-force_key_frames source -fps_mode passthrough -enc_time_base 1:90000 -g 100000 -keyint_min 1';
const PART = '-video_track_timescale 90000 -frag_duration 483333';

function poster(fd: number, size: string): string {
  return (
    `-map 0:v:0 -vf select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,5)',scale=${size}:flags=bicubic:out_range=full,setsar=1,format=yuv420p ` +
    `-fps_mode passthrough -c:v mjpeg -strict unofficial -q:v 5 -threads 1 -map_metadata -1 -flush_packets 1 -f image2pipe -protocol_whitelist pipe pipe:${fd}`
  );
}

function sound(bitrate: number, fd: number): string {
  return (
    `-map 0:a:0 -af aresample=48000:async=1,aformat=channel_layouts=stereo -c:a aac -b:a ${bitrate} -frag_duration 100000 ` +
    `${MP4} ${FLAGS} -protocol_whitelist pipe pipe:${fd}`
  );
}

function picture(filters: string, rates: readonly number[], cadence: string, fd: number): string {
  return (
    `-map 0:v:0 -vf ${filters},setsar=1,format=yuv420p ${X264} ${PARAMS} -b:v ${rates[0]} -maxrate ${rates[1]} -bufsize ${rates[0]} ` +
    `${cadence} ${PART} ${MP4} ${FLAGS}+frag_keyframe -protocol_whitelist pipe pipe:${fd}`
  );
}

describe('buildFfmpegCommand', () => {
  it('encodes a whole ladder on its own grid', () => {
    const { args, pipes } = command({ video: VIDEO, audio: AUDIO }, 'encode');
    expect(lines(args)).toEqual([
      `${GLOBAL} -threads 1 ${FLV}`,
      picture('fps=30/1,scale=640:360:flags=bicubic', [800_000, 856_000], GRID, 3),
      picture('fps=30/1,scale=854:480:flags=bicubic', [1_400_000, 1_498_000], GRID, 4),
      picture('fps=30/1,scale=1280:720:flags=bicubic', [2_800_000, 2_996_000], GRID, 5),
      sound(96_000, 6),
      sound(128_000, 7),
      poster(8, '1280:720'),
    ]);
    expect(pipes).toEqual([
      { kind: 'video', fd: 3, renditionIndex: 0 },
      { kind: 'video', fd: 4, renditionIndex: 1 },
      { kind: 'video', fd: 5, renditionIndex: 2 },
      { kind: 'audio', fd: 6, audioIndex: 0 },
      { kind: 'audio', fd: 7, audioIndex: 1 },
      { kind: 'poster', fd: 8 },
    ]);
  });

  it('follows a copied top', () => {
    const source = { video: { ...VIDEO, width: 854, height: 480 } };
    const { args } = command(source, 'copy');
    expect(lines(args)).toEqual([
      `${GLOBAL} -threads 1 ${FLV}`,
      picture('scale=640:360:flags=bicubic', [800_000, 856_000], FOLLOW, 3),
      `-map 0:v:0 -c:v copy ${PART} ${MP4} ${FLAGS}+frag_keyframe -protocol_whitelist pipe pipe:4`,
      poster(5, '854:480'),
    ]);
  });

  it('decodes key frames only when nothing but the poster decodes', () => {
    const source = { video: { ...VIDEO, width: 640, height: 360 }, audio: AUDIO };
    const { args } = command(source, 'copy');
    expect(lines(args)).toEqual([
      `${GLOBAL} -threads 1 -skip_frame nokey ${FLV}`,
      `-map 0:v:0 -c:v copy ${PART} ${MP4} ${FLAGS}+frag_keyframe -protocol_whitelist pipe pipe:3`,
      sound(96_000, 4),
      poster(5, '640:360'),
    ]);
  });

  it('makes audio alone', () => {
    const { args, pipes } = command({ audio: AUDIO }, 'copy');
    expect(lines(args)).toEqual([`${GLOBAL} -threads 1 ${FLV}`, sound(128_000, 3)]);
    expect(pipes).toEqual([{ kind: 'audio', fd: 3, audioIndex: 0 }]);
  });

  it('whitelists before the input and before every output', () => {
    const { args, pipes } = command({ video: VIDEO, audio: AUDIO }, 'copy');
    expect(args.filter((arg) => arg === '-protocol_whitelist').length).toBe(pipes.length + 1);
    const outputs = args.flatMap((arg, index) => (/^pipe:[3-9]/.test(arg) ? [args.slice(index - 2, index)] : []));
    expect(outputs).toEqual(pipes.map(() => ['-protocol_whitelist', 'pipe']));
  });

  it('throws away what viewers had already, pictures and sound alike', () => {
    const { args } = command({ video: VIDEO, audio: AUDIO }, 'encode', 17.5);
    const chains = args.filter((_, index) => args[index - 1] === '-vf' || args[index - 1] === '-af');
    const [still] = chains.splice(-1);
    expect(still).toMatch(/^select=/);
    expect(chains).toHaveLength(5);
    for (const chain of chains) expect(chain).toMatch(/^a?trim=start=17\.5,(?:fps|aresample)=/);
  });
});
