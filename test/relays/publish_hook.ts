/**
 * A publish webhook that lets any key in, with relays.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RelayGrant {
  readonly name: string;
  readonly url: string;
  readonly mode?: 'copy' | 'transcode';
}

export interface PublishHook {
  /** Settings of a server that asks it. */
  readonly env: Readonly<Record<string, string>>;
  close(): void;
}

export async function startPublishHook(streamId: string, relays: readonly RelayGrant[]): Promise<PublishHook> {
  const server = createServer((request, reply) => {
    request.resume();
    reply.writeHead(200).end(JSON.stringify({ streamId, relays }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    env: { HW_AUTH_WEBHOOK_URL: `http://127.0.0.1:${port}/publish`, HW_WEBHOOK_ALLOW_PRIVATE: '1' },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
