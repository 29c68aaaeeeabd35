/**
 * The first question to a publisher: does its key allow it, and does it not come too often?
 */
import type { StreamId } from '../../contracts/ids.ts';
import type { AuthorizePublishReply, PublishGrant } from '../../contracts/publish.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import type { PublishRequest } from '../ingest/publisher.ts';
import type { Logger } from '../logger.ts';
import { ConnectBudget } from './connect_budget.ts';

export interface PublisherAuthorizationOptions {
  readonly serverId: string;
  readonly control: Pick<Control, 'authorizePublish'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PublisherAuthorization {
  readonly #options: PublisherAuthorizationOptions;
  readonly #connects = new ConnectBudget();

  constructor(options: PublisherAuthorizationOptions) {
    this.#options = options;
  }

  /** Waits as long as this publisher is to be slowed down. @throws PublishRefused */
  async grant(request: PublishRequest, signal: AbortSignal): Promise<PublishGrant> {
    const reply = await this.#ask(request, signal);
    if (!reply.allowed) {
      const { code, reason } = reply;
      this.#options.logger.warn({ connection: request.connectionId, code, reason }, 'publisher refused');
      throw new PublishRefused(
        'NetStream.Publish.BadName',
        code === 'denied' ? 'this stream key may not publish' : 'the stream key could not be checked, try again',
      );
    }
    await this.#slowDown(reply.grant.streamId, request.connectionId, signal);
    return reply.grant;
  }

  /** A publisher of the stream was let in. */
  accepted(streamId: StreamId): void {
    this.#connects.spend(streamId, this.#options.clock.monotonicMs());
  }

  async #slowDown(streamId: StreamId, connection: string, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const waitMs = this.#connects.due(streamId, clock.monotonicMs());
    if (waitMs === 0) return;
    logger.warn({ streamId, connection, waitMs }, 'a publisher connects too often: it waits');
    await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    signal.throwIfAborted();
  }

  async #ask(request: PublishRequest, signal: AbortSignal): Promise<AuthorizePublishReply> {
    const { control, serverId, logger } = this.#options;
    const { streamKey, app, query, clientAddress, connectionId } = request;
    try {
      return await control.authorizePublish(
        { streamKey, app, query: { ...query }, clientAddress, transcoderId: serverId },
        signal,
      );
    } catch (error) {
      logger.error({ connection: connectionId, err: error }, 'the stream key could not be checked');
      return { allowed: false, code: 'unavailable', reason: 'the control plane could not be reached' };
    }
  }
}
