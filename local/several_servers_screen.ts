/**
 * What a terminal shows of several servers: where to watch, and the command that kills the one that serves.
 */
import { systemClock } from '../transcoder/clock.ts';
import type { ServerProcess, SeveralServers } from './several_servers.ts';

const LOOK_MS = 500;

/** Text for a terminal: the key is shown here and nowhere else. */
export function severalServersScreen(fleet: SeveralServers, options: { readonly demo: boolean }): string {
  const { bind, ports, demoKey } = fleet;
  const host = bind === '0.0.0.0' || bind === '::' ? 'THIS-MACHINE' : bind;
  const streamId = demoKey === undefined ? 'STREAM' : 'demo';
  const lines = [
    '',
    `  Headwater is running with ${fleet.servers().length} transcoders.`,
    '',
    ...fleet
      .servers()
      .map(({ serverId, pid, ports: { rtmp } }) => `  ${serverId}   rtmp://${host}:${rtmp}/stream   process ${pid}`),
    `  Stream Key ${demoKey?.streamKey ?? 'one of yours (HW_STREAM_KEYS, or what your webhook accepts)'}`,
    `  Watch      http://${host}:${ports.edge}/watch/${streamId}`,
    ...(options.demo
      ? ['', '  The test picture goes live in some seconds; it looks for another server when its own is gone.']
      : ['', '  Publish to either; when its server goes, an encoder that reconnects to the other one goes on.']),
    '',
    '  Ctrl-C stops all of it.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}

/** The line that tells how to kill the server that serves now: for a person, or for a program. */
export function servingLine({ serverId, pid }: ServerProcess, isTerminal: boolean): string {
  const kill = `kill -9 ${pid}`;
  return isTerminal
    ? `  demo is served by ${serverId}. Kill it and watch:   ${kill}\n`
    : `${JSON.stringify({ serving: serverId, pid, kill })}\n`;
}

/**
 * Tells which server has the stream `demo`, each time that it is another one.
 * @returns how to stop
 */
export function watchServing(fleet: SeveralServers, onServing: (server: ServerProcess) => void): () => void {
  let shown: string | undefined;
  let asking = false;
  const look = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    // The functions may be about to close: the next look will tell.
    const server = await fleet.serving('demo').catch(() => undefined);
    asking = false;
    if (server === undefined || server.serverId === shown) return;
    onServing(server);
    shown = server.serverId;
  };
  return systemClock.every(LOOK_MS, () => void look());
}
