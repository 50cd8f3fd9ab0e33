"""Short texts of many kinds: headlines, reviews, questions, requests. They say where a model's states of texts lie.

Label words are no texts: their states lie elsewhere. Where a task has few texts of its own or none, these stand in for
the mean of its texts. They were written for this, and name no task.
"""

from __future__ import annotations

NEUTRAL_TEXTS = (
    "市政府公布今年的重点工程名单",
    "这家餐厅的环境不错，就是上菜有点慢",
    "请问这个功能在哪里设置？",
    "昨晚的比赛双方战成平局",
    "我想把订单的收货地址改一下",
    "专家提醒：换季要注意保暖",
    "周末去哪里玩比较合适",
    "公司发布了第三季度的财务报告",
    "快递很快，包装也完好",
    "孩子不爱吃饭怎么办",
    "新款手机下个月开始预售",
    "这本书的结尾让人意外",
    "天气预报说明天有雨",
    "怎样才能提高写作水平",
    "老街的修缮工程已经完成一半",
    "客服态度很好，问题当天就解决了",
    "电影上映三天票房过亿",
    "今年的粮食收成比去年好",
    "用了一个星期，电池不太耐用",
    "帮我查一下明天去北京的车票",
    "研究人员发现了一种新的材料",
    "房间有点小，但是很干净",
    "他从小就喜欢画画",
    "两国代表就贸易问题举行会谈",
    "股市今天小幅上涨",
    "播放一首轻松的音乐",
    "大学生毕业后该不该回老家工作",
    "游戏更新之后经常卡顿",
    "这条裙子的颜色和图片不一样",
    "医院新增了夜间门诊",
    "部队组织了一次野外训练",
    "我忘记密码了，怎么登录",
    "小区门口新开了一家超市",
    "古镇吸引了不少游客",
    "汽车保养多久做一次合适",
    "价格便宜，质量一般",
    "老师布置的作业太多了",
    "明天早上七点叫我起床",
    "法院对这起案件作出了判决",
    "演员在采访中谈到了新角色",
)
