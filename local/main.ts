/**
 * `script/server`: everything on one machine, with one command.
 */
import { pino } from 'pino';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import { startDemo } from './demo_publisher.ts';
import { firstScreen } from './first_screen.ts';
import { startOneMachine } from './one_machine.ts';

const USAGE = `usage: script/server [--demo]
  --demo   publish a moving test picture with a clock and sound as the stream "demo"`;

function readArguments(args: readonly string[]): { readonly demo: boolean } {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  const unknown = args.find((argument) => argument !== '--demo');
  if (unknown !== undefined) throw new Error(`got the argument ${unknown}, wanted --demo or nothing`);
  return { demo: args.includes('--demo') };
}

async function main(): Promise<void> {
  const { demo } = readArguments(process.argv.slice(2));
  const { logLevel } = readSettings({ logLevel: SETTINGS.logLevel }, process.env);
  const isTerminal = process.stdout.isTTY;
  // stdout is for the first screen or the ready line; logs go to stderr.
  const logger = pino(
    { level: isTerminal && process.env['LOG_LEVEL'] === undefined ? 'warn' : logLevel },
    pino.destination(2),
  );
  const machine = await startOneMachine(process.env, logger);
  const stopDemo = demo ? await startDemo(machine, process.env, logger) : undefined;
  const stop = () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, stop);
    stopDemo?.();
    machine.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, 'the server did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  process.stdout.write(
    isTerminal
      ? firstScreen(machine, { demo })
      : `${JSON.stringify({
          ready: true,
          pid: process.pid,
          ports: machine.ports,
          ...(machine.demoKey === undefined ? {} : { streamId: 'demo', streamKeyFile: machine.demoKey.path }),
        })}\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`headwater: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
