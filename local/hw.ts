/**
 * Program: what a person asks by hand, through the `registry` function: of the program that runs on this machine with the
 * same HW_DATA_DIR, else of the fleet, with the caller's AWS credentials (AWS_ENDPOINT_URL_LAMBDA names a local Invoke
 * endpoint; HW_CONTROL=lambda passes over what runs here).
 */
import { parseArgs } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod/mini';
import { functionErrorSchema } from '../contracts/function_calls.ts';
import type { RegistryCall } from '../contracts/function_calls.ts';
import { parseStreamId } from '../contracts/ids.ts';
import { streamRecordSchema } from '../contracts/registry.ts';
import type { StreamRecord } from '../contracts/registry.ts';
import { parsePayload } from '../contracts/schema.ts';
import { SETTINGS, SETTING_NAMES } from '../contracts/setting_table.ts';
import { readSettings, refuseUnknownSettings } from '../contracts/settings.ts';
import { controlPath, readControlFile } from './control_file.ts';
import type { ControlPoint } from './control_file.ts';
import { runDlq } from './hw_dlq.ts';
import { readVodCommand, runVod } from './hw_vod.ts';

const USAGE = `usage: npm run hw -- COMMAND
  streams               what is live: stream, state, server, session, since when
  end STREAM            ends the show now; its publisher may start another
  revoke STREAM         ends the show because its key is no longer good (take the key out of the settings first)
  drain SERVER          the server takes no new publishers, and goes when its shows have ended
  drain SERVER --undo   it takes publishers again
  vod verify STREAM/SESSION   reads a whole recording and says whether it is good (--quick: without decoding it)
  vod delete STREAM/SESSION   deletes a recording for good (asks for --yes)
  dlq list              events that no receiver took
  dlq replay            has them delivered again`;

const streamsReplySchema = z.strictObject({ streams: z.array(streamRecordSchema) });
const doneReplySchema = z.strictObject({ done: z.boolean() });

/** The command line as a call; undefined when it is none. @throws Error in one line */
export function readCommand(args: readonly string[]): RegistryCall | undefined {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { undo: { type: 'boolean', default: false } },
  });
  const [command, name, ...rest] = positionals;
  if (rest.length > 0 || (values.undo && command !== 'drain')) return undefined;
  if (command === 'streams' && name === undefined) return { operation: 'streams' };
  if (name === undefined) return undefined;
  if (command === 'end') return { operation: 'stop', streamId: parseStreamId(name), reason: 'ended' };
  if (command === 'revoke') return { operation: 'stop', streamId: parseStreamId(name), reason: 'revoked' };
  if (command === 'drain') return { operation: 'drain', serverId: name, draining: !values.undo };
  return undefined;
}

function table(streams: readonly StreamRecord[]): string {
  if (streams.length === 0) return 'nothing is live';
  const rows = streams.map(({ streamId, state, serverId, sessionId, startedAtMs }) =>
    [streamId, state, serverId, sessionId, new Date(startedAtMs).toISOString()].join('  '),
  );
  return rows.join('\n');
}

/** What is printed, and the exit status. @throws Error in one line */
async function run(
  call: RegistryCall,
  client: LambdaClient,
  functionName: string,
): Promise<{ readonly text: string; readonly status: number }> {
  const command = new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(call)) });
  const reply = await client.send(command, { abortSignal: AbortSignal.timeout(10_000) });
  const value: unknown = JSON.parse(Buffer.from(reply.Payload ?? []).toString('utf8'));
  const refused = z.safeParse(functionErrorSchema, value);
  if (refused.success) throw new Error(refused.data.error.message);
  if (call.operation === 'streams') {
    return { text: table(parsePayload(streamsReplySchema, value, 'reply').streams), status: 0 };
  }
  const { done } = parsePayload(doneReplySchema, value, 'reply');
  if (done) return { text: 'done: the servers hear of it within 3 seconds', status: 0 };
  return { text: call.operation === 'drain' ? 'there is no such server' : 'that stream is not live', status: 1 };
}

/** The program that runs on this machine; undefined: the fleet is meant, or nothing runs here. */
async function findHere(env: NodeJS.ProcessEnv, dataDir: string): Promise<ControlPoint | undefined> {
  const meansFleet = env['AWS_ENDPOINT_URL_LAMBDA'] !== undefined || env['HW_CONTROL'] === 'lambda';
  return meansFleet ? undefined : readControlFile(dataDir);
}

function clientFor(here: ControlPoint | undefined): LambdaClient {
  if (here === undefined) return new LambdaClient({ maxAttempts: 2 });
  const { endpoint, credentials } = here;
  return new LambdaClient({ maxAttempts: 1, endpoint, region: 'local', ...(credentials ? { credentials } : {}) });
}

/** What the AWS client says of a program that is not there, for people. */
function explained(error: unknown, here: ControlPoint | undefined, dataDir: string): Error {
  const { message, code } = error as NodeJS.ErrnoException;
  if (here !== undefined && code === 'ECONNREFUSED') {
    return new Error(`the server that wrote ${controlPath(dataDir)} has ended: start it again`, { cause: error });
  }
  if (here === undefined && /region is missing/i.test(message)) {
    return new Error(
      `no server runs here (there is no ${controlPath(dataDir)}), and no fleet is named: set HW_DATA_DIR, or AWS_REGION`,
      { cause: error },
    );
  }
  return error instanceof Error ? error : new Error(String(error));
}

async function main(): Promise<void> {
  refuseUnknownSettings(SETTING_NAMES, process.env);
  const [area, verb, ...more] = process.argv.slice(2);
  if (area === 'dlq' && (verb === 'list' || verb === 'replay') && more.length === 0) {
    console.log(await runDlq(verb, process.env));
    return;
  }
  if (area === 'vod') {
    const command = readVodCommand(process.argv.slice(3));
    if (command === undefined) throw new Error(USAGE);
    const { text, status } = await runVod(command, process.env);
    console.log(text);
    process.exitCode = status;
    return;
  }
  const call = readCommand(process.argv.slice(2));
  if (call === undefined) throw new Error(USAGE);
  const { functionPrefix, dataDir } = readSettings(SETTINGS, process.env);
  const here = await findHere(process.env, dataDir);
  const { text, status } = await run(call, clientFor(here), `${functionPrefix}registry`).catch((error: unknown) => {
    throw explained(error, here, dataDir);
  });
  console.log(text);
  process.exitCode = status;
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
}
