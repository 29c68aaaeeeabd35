/**
 * How busy this machine is: the share of its CPU that was used over the last ten seconds, by anybody, and the memory
 * that is left.
 */
import type { Clock } from './clock.ts';
import type { CpuTimes } from './cpu_times.ts';

export interface MachineLoadOptions {
  readonly clock: Pick<Clock, 'every'>;
  readonly cpuTimes: () => CpuTimes;
  /** Bytes that this process may still use. */
  readonly availableMemory: () => number;
}

const SAMPLE_MS = 1000;
const SAMPLES = 10;
/** What is used, and what another stream would take, must stay below this, */
const FULL_SHARE = 0.95;
/** if it is this server that takes it: what others take at times is no reason to refuse a show. */
const OWN_SHARE = 0.6;
/** Below this there is room to make more renditions of the running ones. */
const ROOMY_SHARE = 0.7;
/** A stream in three renditions takes about 100 MiB with its FFmpeg. */
const LEAST_MEMORY_BYTES = 192 * 2 ** 20;

export class MachineLoad {
  readonly #options: MachineLoadOptions;
  readonly #samples: CpuTimes[] = [];
  readonly #stop: () => void;

  constructor(options: MachineLoadOptions) {
    this.#options = options;
    this.#sample();
    this.#stop = options.clock.every(SAMPLE_MS, () => this.#sample());
  }

  close(): void {
    this.#stop();
  }

  /** 0 to 1, over the last ten seconds; 0 before they have passed. */
  get busyShare(): number {
    return this.#share('busyMs');
  }

  /** The running streams may get back what was taken from them. */
  get isRoomy(): boolean {
    return this.busyShare < ROOMY_SHARE;
  }

  /**
   * Why another stream would be one too many, in a few words. It is taken to cost what those that run cost on average.
   * @param streams that run, at least 1
   */
  exhaustedBy(streams: number): string | undefined {
    const [share, own] = [this.busyShare, this.#share('ownMs')];
    const another = own / streams;
    if (share + another > FULL_SHARE && own + another > OWN_SHARE)
      return `${percent(share)} of the CPU are in use, and a stream takes ${percent(another)}`;
    return this.outOfMemory;
  }

  get outOfMemory(): string | undefined {
    const bytes = this.#options.availableMemory();
    return bytes < LEAST_MEMORY_BYTES ? `${Math.round(bytes / 2 ** 20)} MiB of memory are left` : undefined;
  }

  #share(used: 'busyMs' | 'ownMs'): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || this.#samples.length <= SAMPLES) return 0;
    return (last[used] - first[used]) / Math.max(1, last.totalMs - first.totalMs);
  }

  #sample(): void {
    this.#samples.push(this.#options.cpuTimes());
    if (this.#samples.length > SAMPLES + 1) this.#samples.shift();
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
