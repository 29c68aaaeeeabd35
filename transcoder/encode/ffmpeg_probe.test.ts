import { describe, expect, it } from 'vitest';
import { FfmpegUnusable, probeFfmpeg } from './ffmpeg_probe.ts';
import type { RunFfmpeg } from './ffmpeg_probe.ts';

const LISTS: Readonly<Record<string, string>> = {
  '-encoders': ' V..... libx264   H.264\n A..... aac   AAC\n VFS... mjpeg   MJPEG\n',
  '-decoders': ' VFS..D h264   H.264\n A....D aac   AAC\n',
  '-demuxers': ' D  flv    FLV\n D  mov,mp4,m4a   QuickTime\n',
  '-muxers': '  E image2pipe   piped\n  E mp4   MP4\n',
  '-filters': ' ..C scale V->V\n ... fps V->V\n ... select V->N\n ..C aresample A->A\n',
};

function program(version: string, lists: Readonly<Record<string, string>> = LISTS): RunFfmpeg {
  return (args) => Promise.resolve(args[0] === '-version' ? version : (lists[args[1] ?? ''] ?? ''));
}

const DEBIAN = 'ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026\n';

describe('probeFfmpeg', () => {
  it.each([
    [DEBIAN, { text: '5.1.9-0+deb12u1', major: 5, minor: 1 }],
    ['ffmpeg version n7.1 Copyright', { text: 'n7.1', major: 7, minor: 1 }],
    ['ffmpeg version 7.0.2-static https', { text: '7.0.2-static', major: 7, minor: 0 }],
    ['ffmpeg version N-118000-g1234 Copyright', { text: 'N-118000-g1234', major: 99, minor: 0 }],
  ])('takes %s', async (version, wanted) => {
    expect(await probeFfmpeg('ffmpeg', program(version))).toEqual(wanted);
  });

  it.each([
    ['an old one', program('ffmpeg version 4.4.2-0ubuntu0 Copyright'), 'FFmpeg 4.4.2-0ubuntu0 found at /opt/ffmpeg'],
    ['another program', program('GNU bash'), '/opt/ffmpeg does not answer like FFmpeg'],
    [
      'one without libx264',
      program(DEBIAN, { ...LISTS, '-encoders': ' A..... aac\n V.. mjpeg' }),
      'no encoder libx264',
    ],
    ['one without FLV', program(DEBIAN, { ...LISTS, '-demuxers': '' }), 'no demuxer flv'],
    ['none', () => Promise.reject(Object.assign(new Error('spawn'), { code: 'ENOENT' })), 'is not there'],
    [
      'a locked one',
      () => Promise.reject(Object.assign(new Error('spawn'), { code: 'EACCES' })),
      'may not be executed',
    ],
  ])('refuses %s in one line', async (_name, run, message) => {
    const failure = await probeFfmpeg('/opt/ffmpeg', run).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FfmpegUnusable);
    const text = failure instanceof Error ? failure.message : '';
    expect(text).toContain(message);
    expect(text).toContain('install FFmpeg 5.1 or later');
    expect(text).not.toContain('\n');
  });
});
