/**
 * `script/server`: everything on one machine, with one command.
 */
import { pino } from 'pino';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import type { Logger } from '../transcoder/logger.ts';
import { startDemo } from './demo_publisher.ts';
import { firstScreen } from './first_screen.ts';
import { startOneMachine } from './one_machine.ts';
import type { OneMachine } from './one_machine.ts';
import { startSeveralServers } from './several_servers.ts';
import { servingLine, severalServersScreen, watchServing } from './several_servers_screen.ts';

const USAGE = `usage: script/server [--demo] [--servers N]
  --demo        publish a moving test picture with a clock and sound as the stream "demo"
  --servers N   run N transcoders (2 to 4) as processes of their own: kill one, and the show goes on at another`;

interface Arguments {
  readonly demo: boolean;
  readonly servers: number;
}

/** @throws Error in one line */
function readArguments(args: readonly string[]): Arguments {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  let demo = false;
  let servers = 1;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index];
    if (argument === '--demo') demo = true;
    else if (argument === '--servers') {
      index += 1;
      const text = args[index] ?? '';
      if (!/^[1-4]$/.test(text)) throw new Error(`--servers: got ${text === '' ? 'nothing' : text}, wanted 1 to 4`);
      servers = Number(text);
    } else throw new Error(`got the argument ${argument}, wanted --demo, --servers N or nothing`);
  }
  return { demo, servers };
}

async function main(): Promise<void> {
  const { demo, servers } = readArguments(process.argv.slice(2));
  const { logLevel } = readSettings({ logLevel: SETTINGS.logLevel }, process.env);
  const isTerminal = process.stdout.isTTY;
  // stdout is for the first screen or the ready line; logs go to stderr.
  const quietly = isTerminal && process.env['LOG_LEVEL'] === undefined;
  const logger = pino({ level: quietly ? 'warn' : logLevel }, pino.destination(2));
  if (servers > 1) {
    // The transcoders log by themselves.
    const env = quietly ? { ...process.env, LOG_LEVEL: 'error' } : process.env;
    const fleet = await startSeveralServers(env, servers, demo, logger);
    process.stdout.write(
      isTerminal ? severalServersScreen(fleet, { demo }) : readyLine(fleet, { servers: fleet.servers() }),
    );
    const stopWatching = watchServing(fleet, (server) => process.stdout.write(servingLine(server, isTerminal)));
    closeOnSignal(logger, async () => {
      stopWatching();
      await fleet.close();
    });
    return;
  }
  const machine = await startOneMachine(process.env, logger);
  const stopDemo = demo ? await startDemo(machine, process.env, logger) : undefined;
  closeOnSignal(logger, async () => {
    stopDemo?.();
    await machine.close();
  });
  process.stdout.write(isTerminal ? firstScreen(machine, { demo }) : readyLine(machine, {}));
}

function readyLine({ ports, demoKey }: Pick<OneMachine, 'demoKey'> & { readonly ports: object }, more: object): string {
  const demo = demoKey === undefined ? {} : { streamId: 'demo', streamKeyFile: demoKey.path };
  return `${JSON.stringify({ ready: true, pid: process.pid, ports, ...more, ...demo })}\n`;
}

function closeOnSignal(logger: Logger, close: () => Promise<void>): void {
  const stop = () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, stop);
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'the server did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`headwater: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
