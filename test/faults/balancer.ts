/**
 * A load balancer as the cloud has it: spreads TCP connections blindly over its targets, one after the other, and skips
 * those where nobody listens.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Balancer {
  readonly port: number;
  /** The target of each open connection, oldest first. */
  readonly targets: () => readonly number[];
  /** From now on connections go to these ports on 127.0.0.1. */
  aim(ports: readonly number[]): void;
  close(): void;
}

export async function startBalancer(first: readonly number[]): Promise<Balancer> {
  let ports = [...first];
  let turn = 0;
  const open = new Map<Socket, number>();
  const join = (near: Socket, left: number): void => {
    const port = ports[turn % ports.length];
    turn += 1;
    if (port === undefined || left === 0) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    let joined = false;
    far.once('connect', () => {
      joined = true;
      open.set(near, port);
      near.pipe(far);
      far.pipe(near);
    });
    near.once('close', () => far.destroy());
    far.on('error', () => undefined);
    far.once('close', () => {
      if (joined || near.destroyed) near.destroy();
      else join(near, left - 1);
    });
  };
  const server = createServer((near) => {
    near.on('error', () => undefined);
    near.once('close', () => open.delete(near));
    join(near, ports.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    targets: () => [...open.values()],
    aim: (next) => {
      ports = [...next];
    },
    close: () => {
      for (const near of open.keys()) near.destroy();
      server.close();
    },
  };
}
