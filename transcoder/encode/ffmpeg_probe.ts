/**
 * Checks once, at start, that there is an FFmpeg that can do the work, and says in one line what is wrong when not.
 */
import { execFile } from 'node:child_process';

/** The message is one line: what was found and what to install. */
export class FfmpegUnusable extends Error {
  override readonly name = 'FfmpegUnusable';
}

export interface FfmpegVersion {
  /** As FFmpeg writes it, such as `5.1.9-0+deb12u1`. */
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

/** Runs FFmpeg with arguments and gives its stdout; rejects when it cannot be run or fails. */
export type RunFfmpeg = (args: readonly string[]) => Promise<string>;

const WANTED = { major: 5, minor: 1 } as const;
const PROBE_TIMEOUT_MS = 10_000;
const INSTALL = 'install FFmpeg 5.1 or later with libx264 (Debian: apt-get install ffmpeg; macOS: brew install ffmpeg)';

/** What the command line uses, by the listing that shows it. */
const NEEDED: readonly { readonly list: string; readonly names: readonly string[]; readonly what: string }[] = [
  { list: '-encoders', names: ['libx264', 'aac', 'mjpeg'], what: 'encoder' },
  { list: '-decoders', names: ['h264', 'aac'], what: 'decoder' },
  { list: '-demuxers', names: ['flv'], what: 'demuxer' },
  { list: '-muxers', names: ['mp4', 'image2pipe'], what: 'muxer' },
  { list: '-filters', names: ['scale', 'fps', 'select', 'aresample'], what: 'filter' },
];

/**
 * @param path of the program, or its name on PATH
 * @throws FfmpegUnusable
 */
export async function probeFfmpeg(path: string, run: RunFfmpeg = runProgram(path)): Promise<FfmpegVersion> {
  const version = parseVersion(await output(path, run, ['-version']));
  if (version === undefined) throw new FfmpegUnusable(`${path} does not answer like FFmpeg: ${INSTALL}`);
  if (version.major < WANTED.major || (version.major === WANTED.major && version.minor < WANTED.minor)) {
    throw new FfmpegUnusable(`FFmpeg ${version.text} found at ${path}, 5.1 or later is wanted: ${INSTALL}`);
  }
  await Promise.all(
    NEEDED.map(async ({ list, names, what }) => {
      const listed = namesIn(await output(path, run, ['-hide_banner', list]));
      const missing = names.filter((name) => !listed.has(name));
      if (missing.length > 0) {
        throw new FfmpegUnusable(`FFmpeg ${version.text} at ${path} has no ${what} ${missing.join(', ')}: ${INSTALL}`);
      }
    }),
  );
  return version;
}

async function output(path: string, run: RunFfmpeg, args: readonly string[]): Promise<string> {
  try {
    return await run(args);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why =
      code === 'ENOENT'
        ? 'is not there'
        : code === 'EACCES'
          ? 'may not be executed'
          : `fails (${String(code ?? error)})`;
    throw new FfmpegUnusable(`FFmpeg at ${path} ${why}: ${INSTALL}`, { cause: error });
  }
}

function runProgram(path: string): RunFfmpeg {
  return (args) =>
    new Promise((resolve, reject) => {
      execFile(path, args, { timeout: PROBE_TIMEOUT_MS, maxBuffer: 4 * 1024 * 1024 }, (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(error);
      });
    });
}

/** Builds from git are called `N-12345-g…` or `git-…`: they are taken for new. */
function parseVersion(text: string): FfmpegVersion | undefined {
  const version = /^ffmpeg version (\S+)/.exec(text)?.[1];
  if (version === undefined) return undefined;
  const numbers = /^n?([0-9]+)\.([0-9]+)/.exec(version);
  if (numbers !== null) return { text: version, major: Number(numbers[1]), minor: Number(numbers[2]) };
  return /^(?:N-|git-|20)/.test(version) ? { text: version, major: 99, minor: 0 } : undefined;
}

/** Second word of each line of `-encoders` and the like; demuxers may share a line: `mov,mp4,m4a`. */
function namesIn(listing: string): ReadonlySet<string> {
  return new Set(listing.split('\n').flatMap((line) => line.trim().split(/\s+/)[1]?.split(',') ?? []));
}
