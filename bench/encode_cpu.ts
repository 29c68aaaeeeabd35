/**
 * What the ladder costs and how good it looks, against the command that it replaces: CPU seconds of whole FFmpeg
 * commands in paired runs, and quality per rendition at equal bitrate (VMAF when the FFmpeg has it, SSIM and PSNR
 * always).
 *
 *     script/node bench/encode_cpu.ts [--seconds 20] [--rounds 3] [--ffmpeg ffmpeg] [--vmaf-ffmpeg ffmpeg]
 *         [--x264 'preset=superfast,rc-lookahead=10'] [--source testsrc2|mandelbrot] [--no-quality | --no-cpu]
 *
 * Needs FFmpeg with lavfi and libx264, a POSIX shell, and a machine that does little else.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { EncodePlan, RenditionPlan } from '../transcoder/encode/encode_plan.ts';
import { DEFAULT_ENCODER_SETTINGS, parseEncoderSettings, x264Params } from '../transcoder/encode/encoder_settings.ts';
import type { EncoderSettings } from '../transcoder/encode/encoder_settings.ts';
import { buildFfmpegCommand } from '../transcoder/encode/ffmpeg_arguments.ts';
import { deriveLadder } from '../transcoder/encode/ladder.ts';
import { DEFAULT_LADDER } from '../transcoder/encode/ladder_rungs.ts';

const SOURCES: Readonly<Record<string, { readonly what: string; readonly filter: string }>> = {
  testsrc2: {
    what: 'easy: FFmpeg testsrc2, flat areas, little motion',
    filter: 'testsrc2=s=1280x720:r=30',
  },
  mandelbrot: {
    what: 'high motion: FFmpeg mandelbrot zoom, scrolling 1.1 % of the width per frame, with moving grain',
    filter: 'mandelbrot=s=1280x720:r=30:end_scale=0.02:end_pts=600,scroll=h=0.011:v=0.004,noise=alls=3:allf=t',
  },
};

/** The replaced pipeline's ladder; its sizes, and 48-frame GOPs, as they were. */
const REFERENCE_RUNGS = [
  { size: 'w=640:h=360', video: '800k', max: '856k', buffer: '1200k', audio: '96k' },
  { size: 'w=842:h=480', video: '1400k', max: '1498k', buffer: '2100k', audio: '128k' },
  { size: 'w=1280:h=720', video: '2800k', max: '2996k', buffer: '4200k', audio: '128k' },
] as const;

interface Command {
  readonly args: readonly string[];
  /** How many file descriptors from 3 on it writes to. */
  readonly outputs: number;
}

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    ffmpeg: { type: 'string', default: 'ffmpeg' },
    'vmaf-ffmpeg': { type: 'string', default: 'ffmpeg' },
    x264: { type: 'string', multiple: true },
    source: { type: 'string', multiple: true },
    'no-quality': { type: 'boolean', default: false },
    'no-cpu': { type: 'boolean', default: false },
  },
});

function makeSource(path: string, filter: string, seconds: number): void {
  const video = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60'];
  const rate = ['-b:v', '3000k', '-maxrate', '3000k', '-bufsize', '3000k'];
  const audio = [
    '-f',
    'lavfi',
    '-i',
    'sine=f=300:r=48000,aformat=channel_layouts=stereo',
    '-c:a',
    'aac',
    '-b:a',
    '128k',
  ];
  const length = ['-t', String(seconds), '-f', 'flv', path];
  execFileSync(options.ffmpeg, [
    '-v',
    'error',
    '-y',
    '-f',
    'lavfi',
    '-i',
    filter,
    ...audio,
    ...video,
    ...rate,
    ...length,
  ]);
}

function referenceCommand(folder: string): Command {
  const outputs = REFERENCE_RUNGS.map((rung, index) => [
    `-vf scale=${rung.size}:force_original_aspect_ratio=decrease -c:a aac -ar 48000 -c:v libx264 -preset veryfast`,
    '-profile:v main -crf 20 -sc_threshold 0 -g 48 -keyint_min 48 -hls_time 6 -hls_list_size 10',
    '-hls_flags delete_segments -max_muxing_queue_size 1024',
    `-b:v ${rung.video} -maxrate ${rung.max} -bufsize ${rung.buffer} -b:a ${rung.audio} ${join(folder, `${index}.m3u8`)}`,
  ]);
  return {
    args: ['-v', 'error', '-nostdin', '-f', 'flv', '-i', 'pipe:0', ...outputs.flat().join(' ').split(' ')],
    outputs: 0,
  };
}

function planFor(top: 'copy' | 'encode'): EncodePlan {
  const source = {
    video: {
      codec: 'h264',
      width: 1280,
      height: 720,
      codecString: 'avc1.64001f',
      passThrough: true,
      frameRate: { numerator: 30, denominator: 1 },
    },
    audio: { codec: 'aac', sampleRate: 48_000, channels: 2 },
  } as const;
  return deriveLadder(source, { rungs: DEFAULT_LADDER, top, segmentSeconds: 2, partSeconds: 0.5 });
}

function ladderCommand(top: 'copy' | 'encode', settings: EncoderSettings): Command {
  const { args, pipes } = buildFfmpegCommand(planFor(top), settings);
  return { args, outputs: pipes.length };
}

/** Runs a command with the source on stdin. @returns its CPU seconds, user and system, by the shell's `times` */
async function cpuSeconds(command: Command, sourcePath: string): Promise<number> {
  const input = openSync(sourcePath, 'r');
  const outputs = Array.from({ length: command.outputs }, () => openSync('/dev/null', 'w'));
  const shell = ['-c', '"$@" && times', 'sh', options.ffmpeg, ...command.args];
  const child = spawn('sh', shell, { stdio: [input, 'pipe', 'inherit', ...outputs] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  for (const fd of [input, ...outputs]) closeSync(fd);
  // Second line: the shell's children, `0m1.230000s 0m0.040000s`.
  const times = [...(text.trim().split('\n')[1] ?? '').matchAll(/([0-9]+)m([0-9.]+)s/g)];
  if (code !== 0 || times.length !== 2) throw new Error(`FFmpeg failed with ${code}: ${text}`);
  return times.reduce((sum, time) => sum + Number(time[1]) * 60 + Number(time[2]), 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function compareCpu(sourcePath: string, folder: string, candidates: ReadonlyMap<string, EncoderSettings>) {
  const ratios = new Map<string, number[]>();
  const references: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const reference = await cpuSeconds(referenceCommand(folder), sourcePath);
    references.push(reference);
    for (const [name, settings] of candidates) {
      for (const top of ['encode', 'copy'] as const) {
        const seconds = await cpuSeconds(ladderCommand(top, settings), sourcePath);
        const label = `${top}, ${name}`;
        ratios.set(label, [...(ratios.get(label) ?? []), seconds / reference]);
      }
    }
  }
  console.log(`  reference: ${(median(references) / Number(options.seconds)).toFixed(3)} CPU s per second`);
  for (const [label, all] of ratios) {
    const range = `${Math.min(...all).toFixed(3)} to ${Math.max(...all).toFixed(3)}`;
    console.log(`  ${label}: ${median(all).toFixed(3)} of the reference (${range})`);
  }
}

function numberIn(text: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(text ?? '')?.[1] ?? Number.NaN);
}

interface Quality {
  readonly kilobits: number;
  readonly psnr: number;
  readonly ssim: number;
  readonly vmaf: number | undefined;
}

/** Encodes one rendition and compares it, frame by frame, with the source scaled to its size. */
function quality(rendition: RenditionPlan, coding: readonly string[], sourcePath: string, folder: string): Quality {
  const { width, height } = rendition.resolution ?? { width: 2, height: 2 };
  const encoded = join(folder, 'encoded.mp4');
  const scale = `scale=${width}:${height}:flags=bicubic,setsar=1,format=yuv420p`;
  const rates = ['-b:v', String(rendition.videoBitrate), '-maxrate', String(rendition.maxRate)];
  const buffer = ['-bufsize', String(rendition.bufferSize), '-g', '60', '-keyint_min', '60', '-threads', '1', '-an'];
  const decode = ['-v', 'error', '-y', '-i', sourcePath, '-vf', scale, '-fps_mode', 'passthrough', '-c:v', 'libx264'];
  execFileSync(options.ffmpeg, [...decode, ...coding, ...rates, ...buffer, encoded]);
  const comparisons = ['psnr', 'ssim', ...(hasVmaf() ? ['libvmaf=n_threads=2'] : [])];
  const results = comparisons.map((filter) => {
    const graph = `[1:v]${scale},setpts=N/30/TB[s];[0:v]setpts=N/30/TB[e];[e][s]${filter}`;
    const run = ['-hide_banner', '-nostats', '-i', encoded, '-i', sourcePath, '-lavfi', graph, '-f', 'null', '-'];
    return execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', options['vmaf-ffmpeg'], ...run], { encoding: 'utf8' });
  });
  return {
    kilobits: (statSync(encoded).size * 8) / Number(options.seconds) / 1000,
    psnr: numberIn(results[0], /average:([0-9.]+)/),
    ssim: numberIn(results[1], /All:([0-9.]+)/),
    vmaf: results[2] === undefined ? undefined : numberIn(results[2], /VMAF score: ([0-9.]+)/),
  };
}

let vmafKnown: boolean | undefined;
function hasVmaf(): boolean {
  vmafKnown ??= execFileSync(options['vmaf-ffmpeg'], ['-hide_banner', '-filters'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).includes(' libvmaf ');
  return vmafKnown;
}

function compareQuality(sourcePath: string, folder: string, candidates: ReadonlyMap<string, EncoderSettings>): void {
  const codings = new Map<string, readonly string[]>([
    ['reference (veryfast, main)', ['-preset', 'veryfast', '-profile:v', 'main', '-sc_threshold', '0']],
  ]);
  for (const [name, settings] of candidates) {
    codings.set(name, ['-preset', settings.preset, '-profile:v', 'high', '-x264-params', x264Params(settings)]);
  }
  for (const rendition of planFor('encode').renditions) {
    for (const [name, coding] of codings) {
      const { kilobits, psnr, ssim, vmaf } = quality(rendition, coding, sourcePath, folder);
      const perceived = vmaf === undefined ? '' : `VMAF ${vmaf.toFixed(2)}, `;
      const measured = `${perceived}SSIM ${ssim.toFixed(4)}, PSNR ${psnr.toFixed(2)} dB`;
      console.log(`  ${rendition.name}, ${name}: ${measured} at ${kilobits.toFixed(0)} kb/s`);
    }
  }
}

const candidates = new Map<string, EncoderSettings>(
  options.x264?.map((text) => [text, parseEncoderSettings(text)]) ?? [['default', DEFAULT_ENCODER_SETTINGS]],
);
const folder = mkdtempSync(join(tmpdir(), 'headwater-bench-'));
try {
  for (const name of options.source ?? Object.keys(SOURCES)) {
    const source = SOURCES[name];
    if (source === undefined) throw new Error(`unknown source ${name}, known: ${Object.keys(SOURCES).join(', ')}`);
    console.log(`${name} (${source.what}), 1280x720 at 30 fps, ${options.seconds} s`);
    const path = join(folder, `${name}.flv`);
    makeSource(path, source.filter, Number(options.seconds));
    const hls = join(folder, name);
    mkdirSync(hls);
    if (!options['no-cpu']) await compareCpu(path, hls, candidates);
    if (!options['no-quality']) compareQuality(path, folder, candidates);
  }
} finally {
  rmSync(folder, { recursive: true });
}
