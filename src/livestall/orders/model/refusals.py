"""What stands against an order, said to the person who wants it."""

from livestall.base.errors import Conflict, Invalid, NotFound, TooMany


class SeveralSellers(Invalid):
    code = "several-sellers"
    en = "One order buys from one seller. Send one order for each seller."
    zh = "一个订单只能包含同一商家的商品，请按商家分别下单。"


class UnknownShow(NotFound):
    code = "no-such-show"
    en = "This product is not offered in this show. Reload and choose again."
    zh = "该商品不在本场直播中，请刷新后重新选择。"


class WrongState(Conflict):
    code = "wrong-order-state"
    en = "The order is {state}: this cannot be done with it any more."
    zh = "订单状态为 {state}，无法执行此操作。"


class OrderExpired(Conflict):
    code = "order-expired"
    en = "The time to pay this order is over. Order again if there is still stock."
    zh = "订单支付时间已过，若仍有库存请重新下单。"


class AddressNeeded(Conflict):
    code = "address-needed"
    en = "Give a delivery address before you pay."
    zh = "请先填写收货地址再付款。"


class TooManyAddresses(Conflict):
    code = "too-many-addresses"
    en = "Your address book is full. Delete an address first."
    zh = "地址簿已满，请先删除一个地址。"


class SellerSuspended(Conflict):
    code = "seller-suspended"
    en = "{seller} cannot sell at the moment. Nothing was ordered; look for the product at another seller."
    zh = "商家“{seller}”目前暂停销售，本次未下单，请选择其他商家的商品。"


class InLineAlready(TooMany):
    code = "in-line-already"
    en = "You are in line for this already. Wait for the answer before you ask again."
    zh = "您已在排队抢购该商品，请等待结果后再试。"


class DeviceTooFast(TooMany):
    code = "device-too-fast"
    en = "Too many purchases come from this device at once. Wait {retry_after_seconds} s; nothing was ordered."
    zh = "该设备提交订单过于频繁，请等待 {retry_after_seconds} 秒后重试，本次未下单。"


class LineFull(TooMany):
    code = "line-full"
    en = "So many people are buying that the line is full. Try again in {retry_after_seconds} s; nothing was ordered."
    zh = "抢购人数过多，排队已满，请在 {retry_after_seconds} 秒后重试，本次未下单。"
