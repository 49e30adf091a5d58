import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { loadHls } from "@/shared/video/hls";
import { PageError, PageMissing, PagePending, Root } from "./root";
import { Shell } from "./shell";

const root = createRootRoute({ component: Root, notFoundComponent: PageMissing });

/** Pages under the top bar; a room fills the window on its own. */
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

export interface OrderSearch { order?: string }
export interface FeedSearch { q?: string; tab?: "following" }
export interface ProofSearch { show?: string; deal?: string; variant?: string }
export interface TokenSearch { token?: string }
const orderSearch = (search: Record<string, unknown>): OrderSearch => ({ order: text(search.order) });

const show = createRoute({
  getParentRoute: () => root, path: "/shows/$id", validateSearch: orderSearch,
  component: lazyRouteComponent(() => { loadHls().catch(() => undefined); return import("./pages/show-page"); }, "ShowPage"),
});
const feed = createRoute({
  getParentRoute: () => shell, path: "/",
  validateSearch: (search: Record<string, unknown>): FeedSearch => ({ q: text(search.q), tab: search.tab === "following" ? "following" : undefined }),
  component: lazyRouteComponent(() => import("@/features/feed/pages"), "FeedPage"),
});
const orders = createRoute({
  getParentRoute: () => shell, path: "/orders", component: lazyRouteComponent(() => import("@/features/orders/pages"), "OrdersPage"),
});
const order = createRoute({
  getParentRoute: () => shell, path: "/orders/$id", component: lazyRouteComponent(() => import("@/features/orders/pages"), "OrderPage"),
});
const product = createRoute({
  getParentRoute: () => shell, path: "/products/$id", validateSearch: orderSearch,
  component: lazyRouteComponent(() => import("./pages/product-page"), "ProductPage"),
});
const me = createRoute({
  getParentRoute: () => shell, path: "/me", component: lazyRouteComponent(() => import("@/features/me/pages"), "MePage"),
});

const proof = createRoute({
  getParentRoute: () => shell, path: "/proof",
  validateSearch: (search: Record<string, unknown>): ProofSearch => ({ show: text(search.show), deal: text(search.deal), variant: text(search.variant) }),
  component: lazyRouteComponent(() => import("@/features/proof/pages"), "ProofPage"),
});

const studio = createRoute({
  getParentRoute: () => shell, path: "/studio", component: lazyRouteComponent(() => import("@/features/studio/pages"), "StudioPage"),
});
/** The control room fills the window, as the room does. */
const control = createRoute({
  getParentRoute: () => root, path: "/studio/shows/$id",
  component: lazyRouteComponent(() => import("@/features/studio/pages"), "ControlRoomPage"),
});
const seller = createRoute({
  getParentRoute: () => shell, path: "/seller", component: lazyRouteComponent(() => import("@/features/seller/pages"), "SellerPage"),
});
const products = createRoute({
  getParentRoute: () => shell, path: "/seller/products",
  component: lazyRouteComponent(() => import("@/features/seller/pages"), "ProductsPage"),
});
const stock = createRoute({
  getParentRoute: () => shell, path: "/seller/stock", component: lazyRouteComponent(() => import("@/features/seller/pages"), "StockPage"),
});
const imports = createRoute({
  getParentRoute: () => shell, path: "/seller/import", component: lazyRouteComponent(() => import("@/features/seller/pages"), "ImportPage"),
});
const operator = createRoute({
  getParentRoute: () => shell, path: "/operator", component: lazyRouteComponent(() => import("@/features/operator/pages"), "OperatorPage"),
});
const firstRun = createRoute({
  getParentRoute: () => root, path: "/first-run",
  validateSearch: (search: Record<string, unknown>): TokenSearch => ({ token: text(search.token) }),
  component: lazyRouteComponent(() => import("@/features/operator/pages"), "FirstRunPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    show, firstRun, control,
    shell.addChildren([feed, orders, order, product, proof, me, studio, seller, products, stock, imports, operator]),
  ]),
  defaultPreload: "intent",
  scrollRestoration: true,
  defaultPendingComponent: PagePending,
  defaultErrorComponent: PageError,
});

declare module "@tanstack/react-router" {
  interface Register { router: typeof router }
}
