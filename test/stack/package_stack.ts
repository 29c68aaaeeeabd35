/**
 * `serverless package`, as a person runs it before a deployment, but with no credentials, no home folder and no network.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Template } from './template.ts';

export const ROOT = join(import.meta.dirname, '../..');

export interface PackagedStack {
  /** Holds a zip per function. */
  readonly folder: string;
  readonly templateFile: string;
  readonly template: Template;
  /** Values that serverless.yml hands over with the template. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly output: string;
  remove(): Promise<void>;
}

const TIMEOUT_MS = 60_000;
/** Nothing listens there: whoever goes by a proxy to the network learns so at once. */
const NOWHERE = 'http://127.0.0.1:9';

/** @throws Error with what was printed */
export async function packageStack(stage: string, parameters: readonly string[] = []): Promise<PackagedStack> {
  const folder = await mkdtemp(join(tmpdir(), 'headwater-stack-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const program = join(ROOT, 'node_modules/serverless/bin/serverless.js');
  const args = ['package', '--stage', stage, '--package', join(folder, 'package')];
  for (const parameter of parameters) args.push(`--param=${parameter}`);
  try {
    const output = await run([program, ...args], {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: 'true',
      HTTP_PROXY: NOWHERE,
      HTTPS_PROXY: NOWHERE,
    });
    const templateFile = join(folder, 'package/cloudformation-template-update-stack.json');
    const template = JSON.parse(await readFile(templateFile, 'utf8')) as Template;
    const state = JSON.parse(await readFile(join(folder, 'package/serverless-state.json'), 'utf8')) as {
      readonly service: {
        readonly provider: {
          readonly stackParameters: readonly { readonly ParameterKey: string; readonly ParameterValue: string }[];
        };
      };
    };
    const handedOver = Object.fromEntries(
      state.service.provider.stackParameters.map(({ ParameterKey, ParameterValue }) => [ParameterKey, ParameterValue]),
    );
    return { folder: join(folder, 'package'), templateFile, template, parameters: handedOver, output, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function run(args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(output);
      else reject(new Error(`serverless package ended with ${status}:\n${output}`));
    });
  });
}
