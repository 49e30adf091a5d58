export { Checkout } from "./checkout";
export { OrderReturn } from "./order-return";
