/**
 * The FFmpeg command of transcoded relays: FLV in on stdin, FLV out on stdout. Our own client sends it on, so no address
 * and no key ever stands in an argument.
 */
import type { SourceDescription } from '../encode/encode_plan.ts';
import { framesPerSecond } from '../encode/frame_rate.ts';
import type { TranscodeSettings } from './transcode_settings.ts';

/** Seconds between key frames: what all services ask for. */
const GOP_SECONDS = 2;
const AUDIO_SAMPLE_RATE = 48_000;
/** FFmpeg may open pipes and nothing else, whatever a publisher's bytes make it try. */
const PIPES_ONLY = ['-protocol_whitelist', 'pipe'] as const;

export function transcodeArguments(source: SourceDescription, settings: TranscodeSettings): readonly string[] {
  const groups: readonly (readonly string[])[] = [
    ['-hide_banner'], // no build information before each run's messages
    ['-nostdin'], // stdin is media, not a keyboard
    ['-nostats'], // no progress line: progress is judged by what comes out
    ['-loglevel', 'warning'], // the last lines say why it ended
    ['-filter_threads', '1'], // scaling in threads costs more than it saves at these sizes
    PIPES_ONLY, // before the input: for the input
    ['-copyts'], // sound and picture keep the distance that they came with
    ['-threads', '1'], // one decoder thread adds no frame of delay
    ['-fpsprobesize', '0'], // do not wait for frames to guess a rate that is known
    ['-analyzeduration', '1000000'], // at most 1 s of media to find a track that was announced
    ['-f', 'flv'], // what stdin is, never guessed from a publisher's bytes
    ['-i', 'pipe:0'],
    ...(source.video === undefined ? [['-vn']] : videoArguments(source.video, settings)),
    ...(source.audio === undefined ? [['-an']] : audioArguments(settings)),
    ['-map_metadata', '-1'], // nothing that the publisher wrote goes on
    ['-flvflags', 'no_duration_filesize'], // nobody seeks back in a pipe to fill them in
    ['-flush_packets', '1'], // each frame leaves when it is ready
    ['-f', 'flv'],
    PIPES_ONLY, // the one before the input does not cover outputs
    ['pipe:1'],
  ];
  return groups.flat();
}

function videoArguments(
  { frameRate }: NonNullable<SourceDescription['video']>,
  { shortSide, frameRate: highest, videoBitrate }: TranscodeSettings,
): readonly (readonly string[])[] {
  const rate = framesPerSecond(frameRate);
  const isSlower = rate <= highest;
  const fps = isSlower ? `${frameRate.numerator}/${frameRate.denominator}` : String(highest);
  const gop = String(Math.round((isSlower ? rate : highest) * GOP_SECONDS));
  // The short side at most, even, never scaled up; the other one keeps the shape. Asked anew when the size changes.
  const side = (length: string) => `trunc(min(${shortSide}\\,${length})/2)*2`;
  const filters = [
    `fps=${fps}`, // constant: services count frames
    `scale=w='if(gt(iw\\,ih)\\,-2\\,${side('iw')})':h='if(gt(iw\\,ih)\\,${side('ih')}\\,-2)':flags=bicubic`,
    'setsar=1', // square pixels
    'format=yuv420p', // what every service decodes
  ];
  return [
    ['-map', '0:v:0'],
    ['-vf', filters.join(',')],
    ['-c:v', 'libx264'],
    ['-preset', 'veryfast'], // what services recommend for live at these bitrates
    ['-profile:v', 'high'],
    ['-b:v', String(videoBitrate)],
    ['-maxrate', String(videoBitrate)], // constant bitrate, as services ask
    ['-bufsize', String(videoBitrate)], // over one second
    ['-g', gop],
    ['-keyint_min', gop],
    ['-sc_threshold', '0'], // key frames on the grid alone
  ];
}

function audioArguments({ audioBitrate }: TranscodeSettings): readonly (readonly string[])[] {
  return [
    ['-map', '0:a:0'],
    // async=1 fills gaps with silence and cuts overlaps, so that sound stays with the picture.
    ['-af', `aresample=${AUDIO_SAMPLE_RATE}:async=1,aformat=channel_layouts=stereo`],
    ['-c:a', 'aac'],
    ['-b:a', String(audioBitrate)],
  ];
}
