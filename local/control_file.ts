/**
 * How `npm run hw` finds the program that runs on this machine: a file in its data folder, which only its owner can read,
 * with the address of its Invoke endpoint and credentials that were made for this run.
 */
import { mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';

const controlPointSchema = z.strictObject({
  /** Such as `http://127.0.0.1:40001`. */
  endpoint: z.url(),
  /** Absent: the caller's own are wanted, which the program was given too. */
  credentials: z.optional(z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() })),
});

export type ControlPoint = z.infer<typeof controlPointSchema>;

/** Where it is, for messages too. */
export function controlPath(dataDir: string): string {
  return join(dataDir, 'run', 'control.json');
}

/** @returns takes the file away again, unless another program has put its own there. @throws what the system says */
export async function writeControlFile(dataDir: string, point: ControlPoint): Promise<() => Promise<void>> {
  const path = controlPath(dataDir);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(point)}\n`, { mode: 0o600 });
  await rename(draft, path);
  return async () => {
    const now = await readControlFile(dataDir).catch(() => undefined);
    if (now?.endpoint === point.endpoint) await unlink(path);
  };
}

/** Undefined: nothing runs with this data folder. @throws Error in one line when the file is not in its form */
export async function readControlFile(dataDir: string): Promise<ControlPoint | undefined> {
  const path = controlPath(dataDir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return z.parse(controlPointSchema, JSON.parse(text));
  } catch (cause) {
    throw new Error(`${path}: wanted what a running server writes there; remove it and start the server again`, {
      cause,
    });
  }
}
