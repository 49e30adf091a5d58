export { Checkout } from "./checkout";
export { OrderReturn } from "./order-return";
export { Unfinished } from "./unfinished";
