/**
 * A publisher whose picture carries the time at which each frame was made, in blocks that survive compression: a bar
 * of 32 black or white squares holds the lower 32 bits of Unix time in ms.
 */
import { spawn } from 'node:child_process';

const COLUMNS = 32;
const ROWS = 18;
const RATE = 30;

export interface ClockPublisher {
  /** Says goodbye. */
  stop(): Promise<void>;
  /** Its connection is lost. */
  kill(): void;
  readonly exited: Promise<number | null>;
}

/** Publishes 1280x720 at 30 frames per second with a zero-latency x264, key frames every 2 s, 2.5 Mb/s and a tone. */
export function publishClock(url: string): ClockPublisher {
  const child = spawn(
    'ffmpeg',
    [
      ['-hide_banner', '-loglevel', 'error', '-fflags', 'nobuffer'],
      ['-f', 'rawvideo', '-pixel_format', 'gray', '-video_size', `${COLUMNS}x${ROWS}`, '-framerate', String(RATE)],
      ['-probesize', '32', '-analyzeduration', '0', '-i', 'pipe:0'],
      ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'],
      ['-map', '0:v', '-map', '1:a', '-vf', 'scale=1280:720:flags=neighbor,format=yuv420p'],
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '60', '-keyint_min', '60'],
      ['-sc_threshold', '0', '-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '2500k'],
      ['-c:a', 'aac', '-b:a', '128k', '-flush_packets', '1', '-f', 'flv', url],
    ].flat(),
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.on('error', () => undefined);
  const startedAt = performance.now();
  let frame = 0;
  const timer = setInterval(() => {
    while ((frame * 1000) / RATE <= performance.now() - startedAt) {
      child.stdin.write(picture(Date.now(), frame));
      frame += 1;
    }
  }, 4);
  const end = (signal: NodeJS.Signals) => {
    clearInterval(timer);
    // FFmpeg would wait for the rest of a frame before it heeds the signal.
    child.stdin.destroy();
    child.kill(signal);
  };
  const stop = async () => {
    end('SIGTERM');
    await exited;
  };
  return { exited, stop, kill: () => end('SIGKILL') };
}

function picture(nowMs: number, frame: number): Buffer {
  const pixels = Buffer.alloc(COLUMNS * ROWS);
  const low = nowMs % 2 ** 32;
  for (let bit = 0; bit < 32; bit += 1) pixels[bit] = Math.floor(low / 2 ** bit) % 2 === 1 ? 235 : 16;
  // Something that moves, so that the encoder has work.
  for (let at = COLUMNS * 2; at < pixels.length; at += 1) pixels[at] = 16 + ((at * 7 + frame * 5) % 220);
  return pixels;
}

/** What a page runs to read the clock: gives pairs of [seconds since the start, latency in ms]. */
export const READ_CLOCK = `
  (video, seconds) => new Promise((resolve) => {
    const canvas = document.createElement('canvas');
    canvas.width = 320; canvas.height = 10;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const samples = [];
    const started = performance.now();
    const look = () => {
      const shown = Date.now();
      context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 18, 0, 0, 320, 10);
      const pixels = context.getImageData(0, 5, 320, 1).data;
      let made = 0;
      for (let bit = 31; bit >= 0; bit -= 1) made = made * 2 + (pixels[(bit * 10 + 5) * 4] > 128 ? 1 : 0);
      const latency = (shown % 2 ** 32) - made;
      if (latency > -1000 && latency < 120000) samples.push([(performance.now() - started) / 1000, latency]);
      if (performance.now() - started >= seconds * 1000) resolve(samples);
      // Four looks a second: reading pixels costs CPU that the player needs.
      else setTimeout(() => video.requestVideoFrameCallback(look), 250);
    };
    video.requestVideoFrameCallback(look);
  })
`;
