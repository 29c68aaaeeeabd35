/**
 * Builds FFmpeg's command line from a plan: FLV on stdin; on pipes from 3 on one fragmented MP4 per rendition (video
 * only), one per distinct AAC bitrate, and JPEG posters. Each argument has its reason beside it; FFmpeg 5.1 to 7.1.
 *
 * On all pipes media time is the timestamp on stdin plus `OUTPUT_OFFSET_SECONDS`. The first AAC frame of an encode
 * carries the encoder's 1024 samples of delay and stands that much before its source's time, as decoders expect.
 */
import type { EncodePlan, FrameRate, RenditionPlan } from './encode_plan.ts';
import { encodeThreads, x264Params } from './encoder_settings.ts';
import type { EncoderSettings } from './encoder_settings.ts';
import { framesPerSecond } from './frame_rate.ts';

/** What is added to every timestamp, so that AAC's delay before time 0 does not wrap to a huge tfdt. */
export const OUTPUT_OFFSET_SECONDS = 10;
export const VIDEO_TIMESCALE = 90_000;
export const AUDIO_SAMPLE_RATE = 48_000;

/** What comes out of one of the child's file descriptors. */
export type OutputPipe =
  | { readonly kind: 'video'; readonly fd: number; readonly renditionIndex: number }
  /** Index into the plan's `audioBitrates`. */
  | { readonly kind: 'audio'; readonly fd: number; readonly audioIndex: number }
  | { readonly kind: 'poster'; readonly fd: number };

/** One option and its value, or what stands alone, per entry. */
type Arguments = readonly (readonly string[])[];

export interface FfmpegCommand {
  readonly args: readonly string[];
  /** In the order of their file descriptors, without a hole, from 3 on. */
  readonly pipes: readonly OutputPipe[];
}

/** 0, 1 and 2 are stdin, stdout and stderr. */
const FIRST_FD = 3;
const POSTER_SECONDS = 5;
const POSTER_LONG_SIDE = 1280;
/** Five AAC frames are 106.7 ms: a fragment is cut at the first frame after this. Each costs Node a read. */
const AUDIO_FRAGMENT_MICROSECONDS = 100_000;
/** FFmpeg may open pipes and nothing else, whatever a publisher's bytes make it try. */
const PIPES_ONLY = ['-protocol_whitelist', 'pipe'] as const;

/**
 * @param startSeconds time on stdin before which media is decoded and thrown away, because viewers had it already; for
 * plans that copy nothing
 */
export function buildFfmpegCommand(plan: EncodePlan, settings: EncoderSettings, startSeconds?: number): FfmpegCommand {
  const args: (readonly string[])[] = [...globalArguments(), ...inputArguments(plan)];
  const pipes: OutputPipe[] = [];
  let fd = FIRST_FD;
  for (const [renditionIndex, rendition] of plan.renditions.entries()) {
    if (rendition.mode === 'audio' || plan.frameRate === undefined) continue;
    args.push(...videoOutput(rendition, plan, plan.frameRate, settings, fd, startSeconds));
    pipes.push({ kind: 'video', fd, renditionIndex });
    fd += 1;
  }
  const hasVideo = pipes.length > 0;
  for (const [audioIndex, bitrate] of plan.hasAudio ? plan.audioBitrates.entries() : []) {
    args.push(...audioOutput(bitrate, fd, startSeconds));
    pipes.push({ kind: 'audio', fd, audioIndex });
    fd += 1;
  }
  if (hasVideo) {
    args.push(...posterOutput(plan, fd));
    pipes.push({ kind: 'poster', fd });
  }
  return { args: args.flat(), pipes };
}

function globalArguments(): Arguments {
  return [
    ['-hide_banner'], // no build information before each run's messages
    ['-nostdin'], // stdin is media, not a keyboard
    ['-nostats'], // no progress line: progress is judged by what comes out
    ['-loglevel', 'warning'], // the last lines say why it ended
    ['-filter_threads', '1'], // scaling in threads costs more than it saves at these sizes
  ];
}

function inputArguments(plan: EncodePlan): Arguments {
  const copyOnly = plan.renditions.every((rendition) => rendition.mode === 'copy');
  const fast = plan.frameRate !== undefined && framesPerSecond(plan.frameRate) > 31;
  return [
    PIPES_ONLY, // before the input: for the input
    ['-copyts'], // one time line on all outputs: each would otherwise be rebased to its own first packet
    // One decoder thread adds no frame of delay; high frame rates need a second one, which costs one frame.
    ['-threads', fast ? '2' : '1'],
    copyOnly ? ['-skip_frame', 'nokey'] : [], // only the poster decodes: key frames are enough
    ['-fpsprobesize', '0'], // do not wait for frames to guess a rate that the plan knows: 1.3 s sooner
    ['-analyzeduration', '1000000'], // at most 1 s of media to find a track that was announced
    ['-f', 'flv'], // what stdin is, never guessed from a publisher's bytes
    ['-i', 'pipe:0'],
  ];
}

function videoOutput(
  rendition: RenditionPlan,
  plan: EncodePlan,
  frameRate: FrameRate,
  settings: EncoderSettings,
  fd: number,
  startSeconds: number | undefined,
): Arguments {
  const fragment = ((plan.partFrames - 0.5) / framesPerSecond(frameRate)) * 1e6;
  return [
    ['-map', '0:v:0'],
    ...(rendition.mode === 'copy'
      ? [['-c:v', 'copy']]
      : encodedVideo(rendition, plan, frameRate, settings, startSeconds)),
    ['-video_track_timescale', String(VIDEO_TIMESCALE)], // one unit in all renditions, RTP's
    ['-frag_duration', String(Math.round(fragment))], // half a frame early, so that rounding never adds a frame
    ...fragmentedMp4('+frag_keyframe', fd), // a part never spans a key frame
  ];
}

function encodedVideo(
  rendition: RenditionPlan,
  plan: EncodePlan,
  frameRate: FrameRate,
  settings: EncoderSettings,
  startSeconds: number | undefined,
): Arguments {
  const { width, height } = rendition.resolution ?? { width: 2, height: 2 };
  const rate = framesPerSecond(frameRate);
  const filters = [
    ...(startSeconds === undefined ? [] : [`trim=start=${startSeconds}`]), // decoded for what follows, not shown again
    // Constant frame rate: gaps are filled and bursts thinned, so that frames can be counted. Not beside a copied top,
    // whose frames are as they are.
    ...(plan.followsSource ? [] : [`fps=${frameRate.numerator}/${frameRate.denominator}`]),
    `scale=${width}:${height}:flags=bicubic`, // fast_bilinear costs 14 VMAF at 360p, lanczos CPU
    'setsar=1', // square pixels: the size already has the right shape
    'format=yuv420p', // 8 bit 4:2:0, which every player decodes, whatever arrived
  ];
  return [
    ['-vf', filters.join(',')],
    ['-c:v', 'libx264'],
    ['-preset', settings.preset],
    ['-profile:v', 'high'], // 8x8 transform: about 5 % fewer bits than main, played everywhere
    ['-threads', String(encodeThreads(settings, { width, height }, rate))],
    ['-x264-params', x264Params(settings)],
    ['-b:v', String(rendition.videoBitrate)],
    ['-maxrate', String(rendition.maxRate)], // with bufsize: what BANDWIDTH promises
    ['-bufsize', String(rendition.bufferSize)],
    ...(plan.followsSource ? followingSource() : onOwnGrid(plan.gopFrames)),
  ];
}

/** Key frames where the copied source has them, at its very times. */
function followingSource(): Arguments {
  return [
    ['-force_key_frames', 'source'],
    ['-fps_mode', 'passthrough'], // neither drop nor repeat a frame
    ['-enc_time_base', '1:90000'], // times as they came, not rounded to a frame rate
    ['-g', '100000'], // none of its own
    ['-keyint_min', '1'], // wherever the source has one
  ];
}

/** A key frame every `gopFrames`, in all renditions at the same frames, since all count the same ones. */
function onOwnGrid(gopFrames: number): Arguments {
  return [
    ['-fps_mode', 'passthrough'], // the fps filter has made the rate constant
    ['-g', String(gopFrames)],
    ['-keyint_min', String(gopFrames)],
  ];
}

function audioOutput(bitrate: number, fd: number, startSeconds: number | undefined): Arguments {
  const from = startSeconds === undefined ? '' : `atrim=start=${startSeconds},`; // the same for the sound
  return [
    ['-map', '0:a:0'],
    // async=1 fills gaps with silence and cuts overlaps, so that sound stays with the picture.
    ['-af', `${from}aresample=${AUDIO_SAMPLE_RATE}:async=1,aformat=channel_layouts=stereo`],
    ['-c:a', 'aac'],
    ['-b:a', String(bitrate)],
    ['-frag_duration', String(AUDIO_FRAGMENT_MICROSECONDS)], // audio is never what a part waits for
    ...fragmentedMp4('', fd),
  ];
}

function fragmentedMp4(extraFlag: string, fd: number): Arguments {
  // cmaf: one moof per fragment, signed composition offsets (a fragment's time is its first picture's);
  // empty_moov: the header first; default_base_moof: offsets that stand in any file; frag_discont: with copyts, keep
  // the times as they are (does nothing without cmaf); skip_trailer: no index at the end.
  const flags = `+cmaf+empty_moov+default_base_moof+frag_discont+skip_trailer${extraFlag}`;
  return [
    ['-map_metadata', '-1'], // nothing that the publisher wrote goes into the file
    ['-use_editlist', '0'], // times stand in the fragments alone
    ['-output_ts_offset', String(OUTPUT_OFFSET_SECONDS)],
    ['-flush_packets', '1'], // a fragment leaves when it is complete
    ['-f', 'mp4'],
    ['-movflags', flags],
    PIPES_ONLY, // the one before the input does not cover outputs
    [`pipe:${fd}`],
  ];
}

/** A JPEG at once and then every few seconds, at most 1280 pixels on its long side. */
function posterOutput(plan: EncodePlan, fd: number): Arguments {
  const { width, height } = plan.renditions.at(-1)?.resolution ?? { width: 2, height: 2 };
  const factor = Math.min(1, POSTER_LONG_SIDE / Math.max(width, height));
  const side = (pixels: number) => Math.max(2, Math.round((pixels * factor) / 2) * 2);
  const filters = [
    `select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,${POSTER_SECONDS})'`, // fps=1/5 would wait 5 s for the first
    `scale=${side(width)}:${side(height)}:flags=bicubic:out_range=full`, // JPEG is full range
    'setsar=1',
    'format=yuv420p',
  ];
  return [
    ['-map', '0:v:0'], // its own filters: one graph for all would hold the others back for the poster's next frame
    ['-vf', filters.join(',')],
    ['-fps_mode', 'passthrough'],
    ['-c:v', 'mjpeg'],
    ['-strict', 'unofficial'], // full range in yuv420p is what JPEG has; FFmpeg asks for this word
    ['-q:v', '5'],
    ['-threads', '1'], // frame threads would hold the picture back for 5 s
    ['-map_metadata', '-1'],
    ['-flush_packets', '1'],
    ['-f', 'image2pipe'],
    PIPES_ONLY,
    [`pipe:${fd}`],
  ];
}
